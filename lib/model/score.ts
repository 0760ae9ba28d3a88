import type { Convention } from '../data/task-forms.ts'
import type { Item } from '../data/tasks.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import { resultOf, summarise } from './item-scores.ts'
import type { ItemScores } from './item-scores.ts'
import type { Likelihoods, Running } from './likelihood.ts'
import { pairsOf } from './pairs.ts'
import type { Pair } from './pairs.ts'
import type { ScoreHooks } from './perplexity.ts'
import { scoreTrees } from './rows.ts'
import { treesOf } from './tree.ts'
import type { Tree } from './tree.ts'

export interface ScoringOptions {
  readonly convention: Convention
  /** Rows at once: of no effect on the result. */
  readonly batch: number
}

/**
 * Scores items of whatever number of options; those of one context are packed in one row under a tree mask. `cut` counts
 * the items whose context did not fit the position table. Progress is by row.
 * Throws Failure ITEM_EMPTY, ITEM_TOO_LONG, SCORE_NOT_FINITE.
 */
export async function scoreItems(
  model: Running,
  tokenizer: Tokenizer,
  items: readonly Item[],
  { convention, batch }: ScoringOptions,
  hooks: ScoreHooks,
): Promise<{ scores: ItemScores; cut: number }> {
  const exam = itemExam(tokenizer, items, { convention, positions: model.config.context })
  return exam.conclude(await scoreTrees(model, exam.trees, { batch, greedy: exam.greedy }, hooks))
}

/** What a model is asked, as trees, and what its answers come to. */
export interface Exam<T> {
  readonly trees: readonly Tree[]
  /** Whether it matters what the model finds likeliest. */
  readonly greedy: boolean
  /** Of the likelihoods of each tree. */
  readonly conclude: (found: readonly Likelihoods[]) => T
}

/** Items as an exam. Throws Failure ITEM_EMPTY, ITEM_TOO_LONG. */
export function itemExam(
  tokenizer: Tokenizer,
  items: readonly Item[],
  { convention, positions }: { readonly convention: Convention; readonly positions: number },
): Exam<{ scores: ItemScores; cut: number }> {
  const asked = items.map(({ index, options }) => pairsOf(tokenizer, options, { index, convention, positions }))
  const rows = asked.flatMap(({ pairs }, item) => treesOf(pairs).map((tree) => ({ item, tree })))
  const conclude = (found: readonly Likelihoods[]) => {
    const sums = items.map(({ options }) => new Array<number>(options.length))
    rows.forEach(({ item, tree }, row) => addUp(tree, asked[item]!.pairs, found[row]!.logProbs, sums[item]!))
    const results = items.map((item, n) => {
      const tokens = asked[n]!.pairs.map(({ ending }) => ending.length)
      return resultOf(item, sums[n]!, tokens, convention)
    })
    const cut = asked.filter((one) => one.cut).length
    return { scores: summarise(items, results, convention, cut), cut }
  }
  return { trees: rows.map(({ tree }) => tree), greedy: false, conclude }
}

/** The sums of a row's endings, each to its place among those of the item. */
function addUp({ members }: Tree, pairs: readonly Pair[], logProbs: ArrayLike<number>, sums: number[]): void {
  let at = 0
  for (const member of members) {
    let sum = 0
    for (const end = at + pairs[member]!.ending.length; at < end; at++) sum += logProbs[at]!
    sums[member] = sum
  }
}
