import { runStep } from '../../pipeline/step.ts'
import { choosePrinter } from '../choose-printer.ts'
import { load } from '../load.ts'
import type { ConfigOptions } from '../options.ts'
import { exitCodeOf, writeError, writeFailures } from '../output.ts'
import { revisionsOf } from '../revisions.ts'
import { listenForStop } from '../signals.ts'

export interface StageArguments extends ConfigOptions {
  readonly key: string
  readonly shard?: { readonly number: number; readonly of: number }
  readonly engine: string
}

/** `pipeline stage STAGE --key DIGEST`: a step of a workflow. Exit code 0; 1 it failed; 2 a mistake; 128 + signal. */
export async function stage(id: string, options: StageArguments): Promise<number> {
  const json = options.json === true
  const stop = listenForStop((step) => writeError(step))
  const loaded = await load(options)
  if (!loaded.ok) {
    writeFailures(loaded.error, json)
    return exitCodeOf(loaded.error)
  }
  const { key, shard, engine } = options
  const { signal, kill } = stop
  const onEvent = await choosePrinter({ json })
  const asked = { stage: id, key, shard, engine, signal, kill, onEvent, resolveRevisions: revisionsOf('yes', signal) }
  const made = await runStep(loaded.value, asked)
  if (!made.ok) writeFailures(made.error, json)
  const failures = made.ok ? (made.value === undefined ? [] : [made.value]) : made.error
  return stop.exitCode() ?? (failures.length > 0 ? exitCodeOf(failures) : 0)
}
