import type { UnitRange } from '../util/unit-range.ts'
import type { Running } from './likelihood.ts'
import { perplexityOf, scoreRows } from './perplexity.ts'
import type { Perplexity, RowWork, ScoreHooks } from './perplexity.ts'
import { batchesOf, likelihoodsOf, scoreBatches } from './rows.ts'
import type { TreeBatch } from './rows.ts'
import type { Exam } from './score.ts'
import { joinScores, readScores, writtenScores } from './token-scores.ts'
import type { TokenScores, WrittenScores } from './token-scores.ts'

/**
 * What one model is scored by: the batches of a text's rows, then those of an exam's trees, if there is one. They are cut
 * the same whoever scores some of them, because the last bits of a score may depend on its neighbours.
 */
export interface ScoreWork<T> {
  readonly rows: RowWork
  readonly exam: Exam<T> | undefined
  readonly trees: readonly TreeBatch[]
}

export const workOf = <T>(
  rows: RowWork,
  exam: Exam<T> | undefined,
  options: { readonly batch: number; readonly width: number },
): ScoreWork<T> => ({ rows, exam, trees: exam ? batchesOf(exam.trees, { ...options, greedy: exam.greedy }) : [] })

export const batchCount = <T>({ rows, trees }: ScoreWork<T>): number => rows.batches + trees.length

/** The scores of some of the batches. */
export interface Scored {
  readonly rows: TokenScores
  readonly trees: TokenScores
}

/** Scores the batches of a range; what lies past the last one is none. Throws Failure SCORE_NOT_FINITE. */
export async function scoreWork<T>(
  model: Running,
  { rows, exam, trees }: ScoreWork<T>,
  { from, to }: UnitRange,
  hooks: ScoreHooks,
): Promise<Scored> {
  const own = { from: Math.min(from, rows.batches), to: Math.min(to, rows.batches) }
  const asked = trees.slice(Math.max(0, from - rows.batches), Math.max(0, to - rows.batches))
  return {
    rows: own.from < own.to ? await scoreRows(model, rows, own, hooks) : joinScores([]),
    trees: exam && asked.length > 0 ? await scoreBatches(model, exam.trees, asked, hooks) : joinScores([]),
  }
}

/** What all batches come to, scored in parts, in their order. */
export function concludeWork<T>(
  { rows, exam, trees }: ScoreWork<T>,
  parts: readonly Scored[],
): { readonly perplexity: Perplexity; readonly answers: T | undefined } {
  const perplexity = perplexityOf(rows, joinScores(parts.map((part) => part.rows)))
  if (!exam) return { perplexity, answers: undefined }
  const scores = joinScores(parts.map((part) => part.trees))
  return { perplexity, answers: exam.conclude(likelihoodsOf(exam.trees, trees, scores)) }
}

export interface WrittenWork {
  readonly rows: WrittenScores
  readonly trees: WrittenScores
}

/** As JSON. */
export const writtenWork = ({ rows, trees }: Scored): WrittenWork => ({
  rows: writtenScores(rows),
  trees: writtenScores(trees),
})

export const readWork = ({ rows, trees }: WrittenWork): Scored => ({ rows: readScores(rows), trees: readScores(trees) })
