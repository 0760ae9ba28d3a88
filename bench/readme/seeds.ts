import type { Verdict } from '../../lib/report/compare.ts'
import { perplexity, points, probability } from '../../lib/report/format.ts'
import { hashWords, markdownTable, NONE, share } from './markdown.ts'
import { studentAgainstControl } from './recorded.ts'
import type { Metrics, RecordedSeeds } from './recorded.ts'

const head = [
  ...['seed', 'experiment', 'perplexity, control', 'perplexity, student'],
  ...['acc, control', 'acc, student', 'acc, student against control'],
]

/** A row a seed, their mean, and in words how often the test named a side: the same words whichever way it falls. */
export function seedsSection({ experiments }: RecordedSeeds): string {
  const rows = experiments.map(({ seed, hash, metrics }) => [
    ...[String(seed), hashWords(hash)],
    ...values(metrics).map(({ value, show }) => show(value)),
    tested(metrics),
  ])
  const all = experiments.map(({ metrics }) => metrics)
  return [markdownTable(head, [...rows, meanRow(all)]), words(all)].join('\n\n')
}

const values = ({ perplexity: ppl, acc }: Metrics) => [
  { value: ppl['control'] ?? NaN, show: perplexity },
  { value: ppl['student'] ?? NaN, show: perplexity },
  { value: acc['control'] ?? NaN, show: share },
  { value: acc['student'] ?? NaN, show: share },
]

function tested(metrics: Metrics): string {
  const found = studentAgainstControl(metrics, 'acc')
  if (found?.p == null) return NONE
  return `${points(found.difference)} points, ${probability(found.p)}: ${found.verdict}`
}

function meanRow(all: readonly Metrics[]): string[] {
  const columns = values(all[0]!).map(({ show }, i) => show(mean(all.map((metrics) => values(metrics)[i]!.value))))
  return ['mean', '', ...columns, `${points(mean(differences(all)))} points`]
}

const differences = (all: readonly Metrics[]): number[] =>
  all.map(({ acc }) => (acc['student'] ?? NaN) - (acc['control'] ?? NaN))

function words(all: readonly Metrics[]): string {
  const apart = differences(all)
  const verdicts = all.map((metrics) => studentAgainstControl(metrics, 'acc')?.verdict ?? 'not tested')
  const times = (verdict: Verdict) => verdicts.filter((one) => one === verdict).length
  const lower = all.filter(({ perplexity: ppl }) => (ppl['student'] ?? NaN) < (ppl['control'] ?? NaN)).length
  const spread = apart.length < 2 ? '' : ` ± ${(100 * errorOfMean(apart)).toFixed(1)}`
  return [
    `Of ${all.length} seeds, the distilled student's acc is above the control's in ${apart.filter((d) => d > 0).length}`,
    ` and below it in ${apart.filter((d) => d < 0).length}; its perplexity is lower in ${lower}.`,
    ` By the paired test on acc (exact McNemar, level 0.05) the student is better in ${times('better')},`,
    ` worse in ${times('worse')}, and no difference is shown in ${times('no difference shown')}.`,
    ` Mean difference of acc: ${points(mean(apart))}${spread} points`,
    spread === '' ? '.' : ' (± one standard error over the seeds, which share their items).',
  ].join('')
}

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0) / numbers.length

/** With n − 1. */
function errorOfMean(numbers: readonly number[]): number {
  const centre = mean(numbers)
  return Math.sqrt(mean(numbers.map((one) => (one - centre) ** 2)) / (numbers.length - 1))
}
