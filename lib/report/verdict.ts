import { cell } from './cells.ts'
import type { Comparison, Verdict } from './compare.ts'
import { grouped, perplexity, points, probability, signed } from './format.ts'
import type { ScoreRow } from './table.ts'

/** The words at the head of the page, from the verdicts of the first pair: on the items, then on the perplexity. */
export const headline = (comparisons: readonly Comparison[]): string => {
  const [first] = comparisons
  if (first === undefined) return 'Scores of the models, without a pair to compare.'
  const told = comparisons.filter(({ a, b, measure }) => a === first.a && b === first.b && measure !== 'acc')
  return told.map((comparison, i) => (i === 0 ? firstSentence(comparison) : nextSentence(comparison))).join(' ')
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

/** What stands behind the headline: one sentence a comparison, numbers and verdict by rule. */
export const evidence = (comparisons: readonly Comparison[], rows: readonly ScoreRow[]): readonly string[] => {
  const told = comparisons.filter(({ a, measure }) => a === 'student' && measure !== 'acc')
  return [...told.map((comparison) => sentence(comparison, rows)), ...caution(comparisons)]
}

const sentence = (comparison: Comparison, rows: readonly ScoreRow[]): string => {
  const against = `Against ${cell(comparison.b).words}`
  return comparison.measure === 'perplexity'
    ? `${against}: perplexity ${perplexitySentence(comparison, rows)}`
    : `${against}: ${itemSentence(comparison, rows)}`
}

const itemSentence = (
  { a, b, n, p, difference, interval, detectable, verdict }: Comparison,
  rows: readonly ScoreRow[],
) => {
  const share = (name: string) => (100 * (rowOf(rows, name).accNorm?.value ?? NaN)).toFixed(1)
  const test = `${points(difference)} points, 95\u00a0% interval ${points(interval?.low ?? NaN)} to ${points(interval?.high ?? NaN)}, ${probability(p ?? NaN)}`
  const sentence = `${share(a)}\u00a0% of ${grouped(n)} questions right and ${share(b)}\u00a0% (${test}): ${verdict}.`
  if (verdict !== 'no difference shown' || detectable === null) return sentence
  return `${sentence} With so many questions a true difference below ${(100 * detectable).toFixed(1)} points would often be missed.`
}

const perplexitySentence = (
  { a, b, n, p, difference, interval, verdict }: Comparison,
  rows: readonly ScoreRow[],
): string => {
  const values = `${perplexity(rowOf(rows, a).perplexity)} and ${perplexity(rowOf(rows, b).perplexity)}`
  if (interval === null || p === null) return `${values} (${signed(difference, 2)}; too few documents for a test).`
  const bounds = `${signed(interval.low, 2)} to ${signed(interval.high, 2)}`
  return `${values} (${signed(difference, 2)}, 95\u00a0% interval ${bounds}, ${probability(p)}, ${grouped(n)} documents): ${verdict}.`
}

/** A student that leads only because its control fell back must not be told as a gain over where it began. */
const caution = (comparisons: readonly Comparison[]): readonly string[] => {
  const verdict = (a: string, b: string, measure: string) =>
    comparisons.find((c) => c.a === a && c.b === b && c.measure === measure)?.verdict
  return (['accNorm', 'perplexity'] as const).flatMap((measure) => {
    const led =
      verdict('student', 'control', measure) === 'better' && verdict('control', 'baseline', measure) === 'worse'
    const on = measure === 'accNorm' ? 'on the questions' : 'in perplexity'
    return led
      ? [
          `The control itself ended worse than the untouched student ${on}, so part of the distance to it is its own loss.`,
        ]
      : []
  })
}

const rowOf = (rows: readonly ScoreRow[], name: string): ScoreRow => rows.find((row) => row.cell.name === name)!
const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1)
