import { planRun } from '../../pipeline/plan.ts'
import { load } from '../load.ts'
import { exitCodeOf, write, writeFailures, writeJson } from '../output.ts'
import { planJson, planLines } from '../plan.ts'
import type { ConfigOptions } from '../program.ts'
import { revisionsOf } from '../revisions.ts'

/** `pipeline status`: how each stage stands. */
export async function status(options: ConfigOptions): Promise<number> {
  const json = options.json === true
  const loaded = await load(options)
  const plan = loaded.ok ? await planRun(loaded.value, { resolveRevisions: revisionsOf('no') }) : loaded
  if (!plan.ok) {
    writeFailures(plan.error, json)
    return exitCodeOf(plan.error)
  }
  if (json) writeJson({ ...planJson(plan.value), type: 'status' })
  else write(planLines(plan.value))
  return 0
}
