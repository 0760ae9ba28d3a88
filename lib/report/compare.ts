import { Failure } from '../util/failure.ts'
import { bootstrapPerplexity, MINIMUM_DOCUMENTS } from './bootstrap.ts'
import { orderCells, pairs } from './cells.ts'
import { rightBy } from './right.ts'
import type { Perplexity, Scores } from './scores.ts'
import { detectableDifference, mcnemar, pair, pairedDifference } from './statistics.ts'
import type { Interval } from './statistics.ts'

export type Measure = 'acc' | 'accNorm' | 'perplexity'
/** `not tested`: too few documents for a test. */
export type Verdict = 'better' | 'worse' | 'no difference shown' | 'not tested'

/** Model `a` against model `b` on the same items or documents. */
export interface Comparison {
  readonly a: string
  readonly b: string
  readonly measure: Measure
  /** Items, or documents of the perplexity's split. */
  readonly n: number
  /** Items that exactly one of the two got right; null for perplexity. */
  readonly discordant: number | null
  readonly p: number | null
  /** value(a) − value(b): of shares, or of perplexities (where less is what one wants). */
  readonly difference: number
  readonly interval: Interval | null
  /** The smallest difference of shares that so many items find four times in five; null for perplexity. */
  readonly detectable: number | null
  readonly verdict: Verdict
}

/** The level of every test. Tests stand each by itself. */
export const LEVEL = 0.05

/** Models by the cell that scored them. */
export type Models = Readonly<Record<string, Scores>>

/**
 * Compares the models pair by pair, in the order of the reader's interest.
 * Throws Failure SCORES_ITEMS_DIFFER where two models were not scored on the same items.
 */
export const compareModels = (models: Models): readonly Comparison[] =>
  pairs(orderCells(Object.keys(models))).flatMap(([a, b]) => comparePair(a, b, models))

/** Model `a` against model `b`, on each measure that both have. Throws as `compareModels`. */
export const comparePair = (a: string, b: string, models: Models): readonly Comparison[] => [
  ...compareItems(a, b, models, 'accNorm'),
  ...compareItems(a, b, models, 'acc'),
  ...comparePerplexity(a, b, models),
]

/** Perplexities can be compared only where the very same tokens were predicted in the same way. */
export const samePerplexityTask = (a: Perplexity, b: Perplexity): boolean =>
  a.split === b.split && a.tokens === b.tokens && a.context === b.context && a.stride === b.stride

/**
 * The rule behind the words: a side is named only when the test rejects at 0.05 *and* the interval leaves out 0, so that
 * a page never says one thing beside an interval that says another.
 */
export const judge = (p: number, interval: Interval, wanted: 'more' | 'less'): Verdict => {
  if (!(p < LEVEL) || (interval.low <= 0 && interval.high >= 0)) return 'no difference shown'
  return interval.low > 0 === (wanted === 'more') ? 'better' : 'worse'
}

const compareItems = (a: string, b: string, models: Models, measure: 'acc' | 'accNorm'): readonly Comparison[] => {
  const [ofA, ofB] = [rightBy(models[a]!, measure), rightBy(models[b]!, measure)]
  if (ofA === null || ofB === null) return []
  const labels = (name: string) => models[name]!.items?.results.map((result) => result.label) ?? []
  if (ofA.length !== ofB.length || labels(a).join() !== labels(b).join()) {
    const message = `Scores of "${a}" and "${b}": expected the same items in the same order, found ${ofA.length} and ${ofB.length} with other labels. Score both on one task file.`
    throw new Failure('SCORES_ITEMS_DIFFER', message)
  }
  const table = pair(ofA, ofB)
  const [p, interval, discordant] = [mcnemar(table), pairedDifference(table), table.onlyA + table.onlyB]
  return [
    {
      ...{ a, b, measure, n: ofA.length, discordant, p, interval },
      difference: (table.onlyA - table.onlyB) / ofA.length,
      detectable: discordant === 0 ? null : detectableDifference(ofA.length, discordant),
      verdict: judge(p, interval, 'more'),
    },
  ]
}

const comparePerplexity = (a: string, b: string, models: Models): readonly Comparison[] => {
  const [ofA, ofB] = [models[a]!.perplexity, models[b]!.perplexity]
  if (!samePerplexityTask(ofA, ofB)) return []
  const difference = ofA.value - ofB.value
  const shared = { a, b, measure: 'perplexity', discordant: null, difference, detectable: null } as const
  const [documentsA, documentsB] = [ofA.documents ?? [], ofB.documents ?? []]
  const paired =
    documentsA.length === documentsB.length && documentsA.every((d, i) => d.tokens === documentsB[i]!.tokens)
  const n = paired ? documentsA.length : 0
  if (n < MINIMUM_DOCUMENTS) return [{ ...shared, n, p: null, interval: null, verdict: 'not tested' }]
  const { p, interval } = bootstrapPerplexity(documentsA, documentsB)
  return [{ ...shared, n, p, interval, verdict: judge(p, interval, 'less') }]
}
