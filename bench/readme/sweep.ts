import { cell } from '../../lib/report/cells.ts'
import { duration, perplexity, points, probability } from '../../lib/report/format.ts'
import { hashWords, markdownTable, NONE, share } from './markdown.ts'
import type { RecordedExperiment, Swept } from './recorded.ts'

/** A row a student of a sweep, and by acc_norm how it stands to those it is held against, as its page has it. */
export function sweepSection({ experiment, machine, seconds, metrics }: RecordedExperiment): string {
  const { axes, students } = metrics.sweep!
  const rivals = [...new Set(Object.values(students).flatMap(({ comparisons }) => comparisons.map(({ b }) => b)))]
  const head = [...axes, 'perplexity', 'acc_norm', ...rivals.map((rival) => `acc_norm against ${cell(rival).words}`)]
  const rows = Object.entries(students).map(([name, student]) => [
    ...name.split(','),
    perplexity(student.perplexity),
    share(student.accNorm),
    ...rivals.map((rival) => against(student, rival)),
  ])
  const time = seconds === null ? '' : `${duration(seconds)} `
  return [markdownTable(head, rows), `Experiment ${hashWords(experiment)}, ${time}on ${machine}.`].join('\n\n')
}

function against({ comparisons }: Swept, rival: string): string {
  const found = comparisons.find(({ b, measure }) => b === rival && measure === 'accNorm')
  if (found?.p == null) return NONE
  return `${points(found.difference)} points, ${probability(found.p)}: ${found.verdict}`
}
