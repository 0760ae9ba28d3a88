import { totalsOf } from '../../pipeline/estimate.ts'
import { explainStage } from '../../pipeline/explain.ts'
import { explanationLines } from '../explanation.ts'
import { load } from '../load.ts'
import { exitCodeOf, write, writeFailures, writeJson } from '../output.ts'
import { totalLines } from '../plan.ts'
import type { ConfigOptions } from '../options.ts'
import { revisionsOf } from '../revisions.ts'

/** `pipeline explain STAGE`: how a stage or a cell stands, and the chain of causes from the first change to it. */
export async function explain(stage: string, options: ConfigOptions): Promise<number> {
  const json = options.json === true
  const loaded = await load(options)
  const explained = loaded.ok ? await explainStage(loaded.value, stage, revisionsOf('no')) : loaded
  if (!explained.ok) {
    writeFailures(explained.error, json)
    return exitCodeOf(explained.error)
  }
  const totals = totalsOf(explained.value)
  if (json) writeJson({ type: 'explanation', stages: explained.value, estimate: totals })
  else {
    const sum = explained.value.length > 1 ? totalLines(totals) : []
    write([...explained.value.map(explanationLines), ...sum].join('\n\n'))
  }
  return 0
}
