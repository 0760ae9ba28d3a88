import { differences } from '../pipeline/difference.ts'
import type { Section } from '../pipeline/difference.ts'
import { loadPipeline } from '../pipeline/config.ts'
import { upstream } from '../pipeline/prepare.ts'
import type { ExperimentRecord, ListedExperiment, StageRecord } from '../pipeline/experiment.ts'
import type { Json, JsonObject } from '../util/json.ts'
import type { DifferenceRow, Differences, ExperimentDetails, StageDetails } from './api.ts'

/** What `pipeline show` tells, by stage, and what it takes to run the same again. */
export async function detailsOf({ record, tags, pinned, page }: ListedExperiment): Promise<ExperimentDetails> {
  const { hash, at, files, params, metrics, git, machine, engine } = record
  const stages = Object.entries(record.stages).map(([name, stage]) => stageDetails(name, stage))
  const about = { hash, at, tags, pinned, hasPage: page !== null, files, params, metrics, git, machine, engine }
  return { ...about, stages, paramsNow: await paramsNow(record) }
}

function stageDetails(name: string, record: StageRecord): StageDetails {
  const { key, outcome, seconds, device, madeAt, outputs, stage } = record
  const reads = stage === undefined ? [] : upstream(stage)
  return { name, key, outcome, seconds, device, madeAt, reads, with: record.with, outputs: Object.keys(outputs) }
}

/** The files of an experiment may be gone, or wrong, since it ran. */
async function paramsNow({ files: [file, ...overlays] }: ExperimentRecord): Promise<JsonObject | null> {
  if (file === undefined) return null
  const loaded = await loadPipeline({ file, overlays, sets: [] })
  return loaded.ok ? loaded.value.params : null
}

/** What `pipeline diff` says of the first and each other, as rows with a value for each experiment. */
export function differencesOf(root: string, records: readonly ExperimentRecord[]): Differences {
  const [first, ...others] = records
  if (first === undefined) throw new Error('Internal error: nothing to compare')
  const found = others.map((other) => differences(root, first, other))
  const sections = Object.keys(differences(root, first, first)) as Section[]
  return Object.fromEntries(
    sections.map((section) => [section, rowsOf(found.map((one) => one[section]))]),
  ) as unknown as Differences
}

interface Named {
  readonly name: string
  readonly a?: Json
  readonly b?: Json
}

/** Where an experiment does not differ from the first, it has the first's value. */
function rowsOf(found: readonly (readonly Named[])[]): DifferenceRow[] {
  const names = new Set(found.flatMap((rows) => rows.map(({ name }) => name)))
  return [...names].map((name) => {
    const rows = found.map((one) => one.find((row) => row.name === name))
    const first = rows.find((row) => row !== undefined)?.a ?? null
    return { name, values: [first, ...rows.map((row) => (row === undefined ? first : (row.b ?? null)))] }
  })
}
