import { join } from 'node:path'
import { readJson } from '../readme/read.ts'
import { readBenches } from '../readme/speed.ts'
import { bytesTable, parallelTable, passTable, ratesOf, simulatedTable } from './tables.ts'
import type { Recorded } from './tables.ts'

const NOT_RUN = 'not run yet'

/** The tables of docs/scaling.md, by the names of their marks. */
export function scalingSections(results: string): Readonly<Record<string, string>> {
  const rates = readBenches(results).flatMap((benches) => ratesOf(benches) ?? [])[0]
  const runs = readJson(join(import.meta.dirname, 'simulated.json')) as readonly Recorded[]
  return {
    pass: rates === undefined ? NOT_RUN : passTable(rates),
    bytes: bytesTable(),
    simulated: simulatedTable(runs),
    parallel: rates === undefined ? NOT_RUN : parallelTable(rates),
  }
}
