import { planRun } from '../../pipeline/plan.ts'
import { load } from '../load.ts'
import { exitCodeOf, write, writeError, writeFailures, writeJson } from '../output.ts'
import { planJson, planLines } from '../plan.ts'
import type { ConfigOptions } from '../options.ts'
import { revisionsOf } from '../revisions.ts'
import { wordFailure } from '../words.ts'

/** `pipeline status`: how each stage stands. */
export async function status(options: ConfigOptions): Promise<number> {
  const json = options.json === true
  const loaded = await load(options)
  const plan = loaded.ok ? await planRun(loaded.value, { resolveRevisions: revisionsOf('no') }) : loaded
  if (!plan.ok) {
    writeFailures(plan.error, json)
    return exitCodeOf(plan.error)
  }
  for (const notice of plan.value.notices) writeError(wordFailure(notice, 'warning'))
  if (json) writeJson({ ...planJson(plan.value), type: 'status' })
  else write(planLines(plan.value))
  return 0
}
