import { reproduce } from '../../pipeline/reproduce.ts'
import type { Failure } from '../../util/failure.ts'
import { exitCodeOf, writeError, writeFailures } from '../output.ts'
import { choosePrinter } from '../choose-printer.ts'
import { jsonPrinter } from '../printer.ts'
import { listenForStop } from '../signals.ts'

/**
 * `pipeline reproduce HASH`: whether an experiment still comes out as recorded. Exit code 0; 1 a stage came out
 * otherwise or failed; 2 what it was made from is not there as it was; 128 + signal.
 */
export async function reproduceExperiment(hash: string, { json = false }: { json?: boolean }): Promise<number> {
  const stop = listenForStop((step) => writeError(`${step}: ${step === 'stopping' ? STOPPING : 'all stages at once'}`))
  const onEvent = await choosePrinter({ json })
  const reproduced = await reproduce(process.cwd(), hash, { signal: stop.signal, kill: stop.kill, onEvent })
  if (!reproduced.ok) refuse(reproduced.error, json)
  const failures = reproduced.ok ? reproduced.value : reproduced.error
  return stop.exitCode() ?? (failures.length > 0 ? exitCodeOf(failures) : 0)
}

const STOPPING = 'what was made is thrown away; once more ends all stages at once'

/** Nothing ran. A reader of `--json` still gets the last line that it always gets. */
function refuse(failures: readonly Failure[], json: boolean): void {
  writeFailures(failures, false)
  if (!json) return
  for (const failure of failures) jsonPrinter({ type: 'failure', stage: null, failure, log: null })
  jsonPrinter({ type: 'reproduced', experiment: null, stages: [] })
}
