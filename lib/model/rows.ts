import type { Program } from '../engine/engine.ts'
import { compileLikelihood, likelihood } from './likelihood.ts'
import type { LikelihoodShape, Likelihoods, Running } from './likelihood.ts'
import type { ScoreHooks } from './perplexity.ts'
import { copyOf, joinScores } from './token-scores.ts'
import type { TokenScores } from './token-scores.ts'
import { bucketsOf, layOut } from './tree.ts'
import type { Tree } from './tree.ts'

/** Rows of trees that are scored at once. */
export interface TreeBatch {
  /** The same object for all batches of one program. */
  readonly shape: LikelihoodShape
  /** Indices of the trees in each row. */
  readonly rows: readonly (readonly number[])[]
}

/**
 * Of each tree the likelihoods of its scored tokens: what a tree gets does not depend on its neighbours, nor on `batch`,
 * the number of rows at once. Throws Failure SCORE_NOT_FINITE.
 */
export async function scoreTrees(
  model: Running,
  trees: readonly Tree[],
  { batch, greedy }: { batch: number; greedy: boolean },
  hooks: ScoreHooks,
): Promise<Likelihoods[]> {
  const batches = batchesOf(trees, { batch, greedy, width: model.config.width })
  return likelihoodsOf(trees, batches, await scoreBatches(model, trees, batches, hooks))
}

/** Batches in the order in which they are scored, for a model of this width. */
export function batchesOf(
  trees: readonly Tree[],
  { batch, greedy, width }: { batch: number; greedy: boolean; width: number },
): TreeBatch[] {
  const lengths = trees.map((tree) => tree.tokens.length)
  return bucketsOf(lengths, width).flatMap(({ rows, length }) => {
    const size = Math.ceil(rows.length / Math.ceil(rows.length / batch)) // the last batch is nearly as full as the others
    const cut = Array.from({ length: Math.ceil(rows.length / size) }, (_, n) => rows.slice(n * size, (n + 1) * size))
    const scoredIn = (some: TreeBatch['rows']): number =>
      some.flat().reduce((sum, index) => sum + trees[index]!.scored.length, 0)
    const shape = { rows: size, length, scored: Math.max(...cut.map(scoredIn)), tree: true, greedy }
    return cut.map((some) => ({ shape, rows: some }))
  })
}

/** The likelihoods of all scored tokens of these batches, in their order. Throws Failure SCORE_NOT_FINITE. */
export async function scoreBatches(
  model: Running,
  trees: readonly Tree[],
  batches: readonly TreeBatch[],
  { signal, onProgress }: ScoreHooks,
): Promise<TokenScores> {
  const found: Likelihoods[] = []
  const total = batches.reduce((sum, { rows }) => sum + rows.flat().length, 0)
  let done = 0
  let open: { readonly shape: LikelihoodShape; readonly program: Program } | undefined
  try {
    for (const { shape, rows } of batches) {
      signal.throwIfAborted()
      if (open?.shape !== shape) {
        await open?.program.dispose()
        open = undefined
        open = { shape, program: await compileLikelihood(model, shape) }
      }
      const own = rows.map((row) => row.map((index) => trees[index]!))
      const { feeds, scored } = layOut(own, shape.rows, shape.length)
      found.push(copyOf(await likelihood(open.program, model.memory, feeds, scored, shape)))
      for (let n = 0; n < own.flat().length; n++) onProgress(++done, total)
      await new Promise(setImmediate)
    }
  } finally {
    await open?.program.dispose()
  }
  return joinScores(found)
}

/** By tree, of the scores of all batches. */
export function likelihoodsOf(
  trees: readonly Tree[],
  batches: readonly TreeBatch[],
  { logProbs, likeliest, highest }: TokenScores,
): Likelihoods[] {
  const found = new Array<Likelihoods>(trees.length)
  let at = 0
  for (const index of batches.flatMap(({ rows }) => rows.flat())) {
    const end = at + trees[index]!.scored.length
    const own = (all: Float32Array | Int32Array): number[] => Array.from(all.subarray(at, end))
    found[index] = { logProbs: own(logProbs), likeliest: own(likeliest), highest: own(highest) }
    at = end
  }
  return found
}
