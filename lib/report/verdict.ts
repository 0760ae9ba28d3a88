import { cell } from './cells.ts'
import type { Comparison, Verdict } from './compare.ts'
import { grouped, percent, perplexity, points, probability, signed } from './format.ts'
import type { Interval } from './statistics.ts'
import type { Sweep } from './sweep.ts'
import type { ScoreRow } from './table.ts'

/** The words at the head of the page, from the verdicts of the first pair: on the items, then on the perplexity. */
export const headline = (comparisons: readonly Comparison[]): string => {
  const [first] = comparisons
  if (first === undefined) return 'Scores of the models, without a pair to compare.'
  const told = tellable(comparisons).filter(({ a, b }) => a === first.a && b === first.b)
  return told.map((comparison, i) => (i === 0 ? firstSentence(comparison) : nextSentence(comparison))).join(' ')
}

/** Of a sweep: how many students are on either side of each rival, by tests corrected for their number. */
export const sweepHeadline = ({ cells, rivals }: Sweep): string => {
  const all = tellable(cells.flatMap(({ comparisons }) => comparisons))
  const measure = all[0]?.measure
  const told = all.filter((one) => one.measure === measure && one.p !== null)
  if (told.length === 0) return `${cells.length} distilled students, without a test between them.`
  return rivals.map((rival) => sweepSentence(told.filter(({ b }) => b === rival))).join(' ')
}

const sweepSentence = (told: readonly Comparison[]): string => {
  const { b, measure } = told[0]!
  const [verb, field] =
    measure === 'perplexity' ? ['predict text', 'In predicting text'] : ['answer', 'On the questions']
  const sides = (['better', 'worse'] as const).flatMap((side) => {
    const count = told.filter(({ verdict }) => verdict === side).length
    return count === 0 ? [] : [`${count} of ${told.length} distilled students ${verb} ${side} than ${cell(b).words}.`]
  })
  if (sides.length > 0) return sides.join(' ')
  return `${field}, no difference shown between any of the ${told.length} distilled students and ${cell(b).words}.`
}

/** One of the two shares is told: accNorm, where items have it. */
const tellable = (comparisons: readonly Comparison[]): readonly Comparison[] => {
  const untold = comparisons.some(({ measure }) => measure === 'accNorm') ? 'acc' : 'accNorm'
  return comparisons.filter(({ measure }) => measure !== untold)
}

const firstSentence = ({ a, b, measure, verdict }: Comparison): string => {
  const [nameA, nameB] = [cell(a).words, cell(b).words]
  const [verb, field] =
    measure === 'perplexity' ? ['predicts text', 'In predicting text'] : ['answers', 'On the questions']
  const sentences: Record<Verdict, string> = {
    better: `${capital(nameA)} ${verb} better than ${nameB}.`,
    worse: `${capital(nameA)} ${verb} worse than ${nameB}.`,
    'no difference shown': `${field}, no difference shown between ${nameA} and ${nameB}.`,
    'not tested': `${capital(nameA)} beside ${nameB}: too little data for a test.`,
  }
  return sentences[verdict]
}

const nextSentence = ({ verdict }: Comparison): string => {
  const sentences: Record<Verdict, string> = {
    better: 'It predicts text better.',
    worse: 'It predicts text worse.',
    'no difference shown': 'In predicting text, no difference shown.',
    'not tested': '',
  }
  return sentences[verdict]
}

export interface Evidence {
  readonly against: string
  readonly sentences: string
}

/** What stands behind the headline, an opponent of the student each: numbers and verdicts by rule. */
export const evidence = (comparisons: readonly Comparison[], rows: readonly ScoreRow[]): readonly Evidence[] => {
  const told = tellable(comparisons).filter(({ a }) => a === 'student')
  return [...new Set(told.map(({ b }) => b))].map((b) => ({
    against: `Against ${cell(b).words}.`,
    sentences: [
      ...told.filter((comparison) => comparison.b === b).map((comparison) => sentence(comparison, rows)),
      ...(b === 'control' ? caution(comparisons) : []),
    ].join(' '),
  }))
}

const sentence = (comparison: Comparison, rows: readonly ScoreRow[]): string =>
  comparison.measure === 'perplexity'
    ? perplexitySentence(comparison, rows)
    : itemSentence(comparison, comparison.measure, rows)

const itemSentence = (comparison: Comparison, measure: 'acc' | 'accNorm', rows: readonly ScoreRow[]): string => {
  const { a, b, n, p, difference, interval, detectable, verdict } = comparison
  const share = (name: string) => percent(rowOf(rows, name)[measure]?.value ?? NaN)
  const test = `${points(difference)} points${tested(p, interval, points)}`
  const told = `${share(a)} and ${share(b)} of ${grouped(n)} questions right (${test}): ${verdict}.`
  if (verdict !== 'no difference shown' || detectable === null) return told
  const least = (100 * detectable).toFixed(1)
  return `${told} With so many questions a true difference below ${least} points would often be missed.`
}

const perplexitySentence = (comparison: Comparison, rows: readonly ScoreRow[]): string => {
  const { a, b, p, difference, interval, verdict } = comparison
  const values = `Perplexity ${perplexity(rowOf(rows, a).perplexity)} and ${perplexity(rowOf(rows, b).perplexity)}`
  if (p === null) return `${values} (${signed(difference, 2)}): too few documents for a test.`
  const test = tested(p, interval, (value) => signed(value, 2))
  return `${values} (${signed(difference, 2)}${test}): ${verdict}.`
}

const tested = (p: number | null, interval: Interval | null, show: (value: number) => string): string =>
  p === null || interval === null
    ? ''
    : `, 95\u00a0% interval ${show(interval.low)} to ${show(interval.high)}, ${probability(p)}`

/** A student that leads only because its control fell back must not be told as a gain over where it began. */
const caution = (comparisons: readonly Comparison[]): readonly string[] => {
  const verdict = (a: string, b: string, measure: string) =>
    comparisons.find((c) => c.a === a && c.b === b && c.measure === measure)?.verdict
  const measures = [...new Set(tellable(comparisons).map(({ measure }) => measure))]
  const fell = measures.filter(
    (measure) =>
      verdict('student', 'control', measure) === 'better' && verdict('control', 'baseline', measure) === 'worse',
  )
  if (fell.length === 0) return []
  const where = fell.map((measure) => (measure === 'perplexity' ? 'in perplexity' : 'on the questions')).join(' and ')
  return [`The control itself ended worse than the untouched student ${where}: part of this distance is its own loss.`]
}

const rowOf = (rows: readonly ScoreRow[], name: string): ScoreRow => rows.find((row) => row.cell.name === name)!
const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1)
