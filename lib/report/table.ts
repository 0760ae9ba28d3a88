import { MINIMUM_DOCUMENTS } from './bootstrap.ts'
import { cell, orderCells } from './cells.ts'
import type { Cell } from './cells.ts'
import type { Models } from './compare.ts'
import { rightBy } from './right.ts'
import type { DocumentLoss, Scores } from './scores.ts'
import { ratioInterval, standardError, wilson } from './statistics.ts'
import type { Interval } from './statistics.ts'

export interface Share {
  readonly value: number
  /** With n − 1. */
  readonly standardError: number
  /** Wilson, 95 %. */
  readonly interval: Interval
}

/** One model's line in the score table. */
export interface ScoreRow {
  readonly cell: Cell
  readonly model: string
  readonly parameters: number
  readonly perplexity: number
  /** By document; null where there are too few. */
  readonly perplexityInterval: Interval | null
  /** null where the words were not counted. */
  readonly perplexityPerWord: number | null
  readonly acc: Share | null
  readonly accNorm: Share | null
}

export const scoreRows = (models: Models): readonly ScoreRow[] =>
  orderCells(Object.keys(models)).map((name) => scoreRow(name, models[name]!))

const scoreRow = (name: string, scores: Scores): ScoreRow => ({
  cell: cell(name),
  model: scores.model,
  parameters: scores.parameters,
  perplexity: scores.perplexity.value,
  perplexityInterval: perplexityInterval(scores.perplexity.documents ?? []),
  perplexityPerWord: scores.perplexity.valuePerWord ?? null,
  acc: share(rightBy(scores, 'acc')),
  accNorm: share(rightBy(scores, 'accNorm')),
})

const share = (answers: readonly boolean[] | null): Share | null => {
  if (answers === null) return null
  const right = answers.map(Number)
  const total = right.reduce((sum, one) => sum + one, 0)
  return {
    value: total / right.length,
    standardError: standardError(right),
    interval: wilson(total, right.length),
  }
}

const perplexityInterval = (documents: readonly DocumentLoss[]): Interval | null => {
  if (documents.length < MINIMUM_DOCUMENTS) return null
  const { low, high } = ratioInterval(
    documents.map((document) => document.nll),
    documents.map((document) => document.tokens),
  )
  return { low: Math.exp(low), high: Math.exp(high) }
}
