import { listExperiments } from '../../pipeline/experiment.ts'
import { flatten } from '../../util/flatten.ts'
import { short, table } from '../format.ts'
import { write, writeJson } from '../output.ts'

/** Metrics of one line of the list; the rest are shown by `show`. */
const MOST_METRICS = 4

/** `pipeline list`: what was recorded here, newest first. */
export function list(options: { json?: boolean }): number {
  const found = listExperiments(process.cwd())
  if (options.json === true) {
    const experiments = found.map(({ record, pinned, tags, page }) => {
      const { hash, at, params, metrics } = record
      return { hash, at, tags, pinned, page, params, metrics }
    })
    writeJson({ experiments })
    return 0
  }
  const rows = found.map(({ record, pinned }) => {
    const metrics = flatten(record.metrics).slice(0, MOST_METRICS)
    const words = metrics.map(([name, value]) => `${name} ${short(value)}`).join('  ')
    return [record.hash.slice(0, 16), record.at.slice(0, 16).replace('T', ' '), pinned ? 'pinned' : '', words]
  })
  write(rows.length === 0 ? 'No experiment is recorded here yet. `pipeline run` makes one.' : table(rows))
  return 0
}
