import { readExperiment } from '../../pipeline/experiment.ts'
import type { ListedExperiment } from '../../pipeline/experiment.ts'
import { flatten } from '../../util/flatten.ts'
import { duration, metricLines, table } from '../format.ts'
import { write, writeFailures, writeJson } from '../output.ts'
import { style } from '../style.ts'
import { widthOf } from '../wrap.ts'

/** `pipeline show HASH`: all that is recorded of one experiment. */
export function show(hash: string, options: { json?: boolean }): number {
  const found = readExperiment(process.cwd(), hash)
  if (!found.ok) {
    writeFailures([found.error], options.json === true)
    return found.error.exitCode
  }
  const { record, ...about } = found.value
  if (options.json === true) writeJson({ ...record, ...about })
  else write(words(found.value))
  return 0
}

function words({ record, pinned, tags, page, metricsFile }: ListedExperiment): string {
  const git =
    record.git.commit === null ? 'none' : record.git.commit.slice(0, 12) + (record.git.dirty === true ? ', edited' : '')
  const width = widthOf(process.stdout)
  const facts = [
    ['experiment', record.hash],
    ['recorded', record.at],
    ['files', record.files.join(', ')],
    ['git commit', git],
    ['tags', tags.join(', ') || 'none'],
    ['pinned', pinned ? 'yes' : 'no'],
    ['page', page ?? 'none'],
    ['metrics', metricsFile ?? 'none'],
  ]
  const stages = Object.entries(record.stages).map(([name, { key, outcome, seconds, device }]) => [
    name,
    key.slice(0, 16),
    outcome,
    duration(seconds),
    device ?? '',
  ])
  const params = flatten(record.params).map(([name, value]) => [name, JSON.stringify(value)])
  const parts = [
    ['', table(facts, width)],
    ['Stages', table(stages, width)],
    ['Parameters', table(params, width)],
    ['Metrics', metricLines(record.metrics, width)],
  ]
  return parts
    .filter(([, text]) => text !== '')
    .map(([title, text]) => (title === '' ? text : `\n${style('bold', title ?? '')}\n${text ?? ''}`))
    .join('\n')
}
