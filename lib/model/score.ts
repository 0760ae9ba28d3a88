import type { Item } from '../data/tasks.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import { firstBest } from './items.ts'
import { compileLikelihood, likelihood } from './likelihood.ts'
import type { Running } from './likelihood.ts'
import type { ScoreHooks } from './perplexity.ts'
import { bucketsOf, treeFeeds, treeOf } from './tree.ts'
import type { Bucket, Tree } from './tree.ts'

export interface ItemScores {
  readonly count: number
  /** Share of items whose ending of the highest summed log-probability is the right one. */
  readonly acc: number
  /** The same by the mean log-probability of an ending's tokens. */
  readonly accNorm: number
  readonly standardError: { readonly acc: number; readonly accNorm: number }
  /** One entry per item, in the order of the items. */
  readonly results: readonly ItemResult[]
  /** How items were turned into rows and scored, in words. */
  readonly convention: string
}

export interface ItemResult {
  readonly label: number
  readonly choice: number
  readonly choiceNorm: number
  /** Summed log-probability of each ending, nats. */
  readonly logProbs: readonly number[]
  /** Tokens of each ending. */
  readonly tokens: readonly number[]
}

/**
 * Scores four-ending items, context and endings packed in one row under a tree mask: what each row gets does not depend
 * on its neighbours, nor on `batch`, the number of rows at once. `cut` counts the items whose context did not fit the
 * position table. Throws Failure ITEM_EMPTY, ITEM_TOO_LONG, SCORE_NOT_FINITE.
 */
export async function scoreItems(
  model: Running,
  tokenizer: Tokenizer,
  items: readonly Item[],
  batch: number,
  hooks: ScoreHooks,
): Promise<{ scores: ItemScores; cut: number }> {
  const trees = items.map((item) => treeOf(tokenizer, item, model.config.context))
  const results = new Array<ItemResult>(items.length)
  let done = 0
  for (const bucket of bucketsOf(trees.map((tree) => tree.tokens.length))) {
    await scoreBucket(model, trees, bucket, batch, hooks, (index, logProbs) => {
      results[index] = resultOf(items[index]!.label, trees[index]!.lengths, logProbs)
      hooks.onProgress(++done, items.length)
    })
  }
  const cut = trees.filter((tree) => tree.cut > 0).length
  return { scores: summarise(results, cut), cut }
}

/** Standard error of a share, with n − 1. */
export const standardError = (share: number, count: number): number =>
  count < 2 ? 0 : Math.sqrt((share * (1 - share)) / (count - 1))

async function scoreBucket(
  model: Running,
  trees: readonly Tree[],
  { members, length }: Bucket,
  batch: number,
  { signal }: ScoreHooks,
  onItem: (index: number, logProbs: ArrayLike<number>) => void,
): Promise<void> {
  const rows = Math.min(batch, members.length)
  const most = Math.max(...members.map((index) => trees[index]!.scored.length))
  const shape = { rows, length, scored: rows * most, tree: true }
  const program = await compileLikelihood(model, shape)
  try {
    for (let start = 0; start < members.length; start += rows) {
      signal.throwIfAborted()
      const some = members.slice(start, start + rows)
      const own = some.map((index) => trees[index]!)
      const scored = own.flatMap((tree, row) =>
        tree.scored.map((one) => ({ ...one, source: row * length + one.source })),
      )
      const logProbs = Array.from(await likelihood(program, model.memory, treeFeeds(own, rows, length), scored, shape))
      let at = 0
      some.forEach((index, row) => onItem(index, logProbs.slice(at, (at += own[row]!.scored.length))))
      await new Promise(setImmediate)
    }
  } finally {
    await program.dispose()
  }
}

function resultOf(label: number, lengths: readonly number[], logProbs: ArrayLike<number>): ItemResult {
  let at = 0
  const sums = lengths.map((length) => {
    let sum = 0
    for (const end = at + length; at < end; at++) sum += logProbs[at]!
    return sum
  })
  const means = sums.map((sum, n) => sum / lengths[n]!)
  return { label, choice: firstBest(sums), choiceNorm: firstBest(means), logProbs: sums, tokens: lengths }
}

function summarise(results: readonly ItemResult[], cut: number): ItemScores {
  const count = results.length
  const share = (right: (result: ItemResult) => boolean): number => results.filter(right).length / count
  const acc = share(({ choice, label }) => choice === label)
  const accNorm = share(({ choiceNorm, label }) => choiceNorm === label)
  const shortened = cut === 0 ? '' : `; ${cut} contexts lost their first tokens to fit the position table`
  return {
    count,
    acc,
    accNorm,
    standardError: { acc: standardError(acc, count), accNorm: standardError(accNorm, count) },
    results,
    convention: `The context is taken verbatim and each ending encoded apart from it with a space before; acc takes the ending of the highest sum of log-probabilities, accNorm that of the highest mean over its tokens, the first one on ties${shortened}.`,
  }
}
