import { compileLikelihood, likelihood } from './likelihood.ts'
import type { Likelihoods, Running } from './likelihood.ts'
import type { ScoreHooks } from './perplexity.ts'
import { bucketsOf, layOut } from './tree.ts'
import type { Bucket, Tree } from './tree.ts'

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
  const found = new Array<Likelihoods>(trees.length)
  let done = 0
  const lengths = trees.map((tree) => tree.tokens.length)
  for (const bucket of bucketsOf(lengths, model.config.width)) {
    await scoreBucket(model, trees, bucket, { batch, greedy }, hooks, (index, likelihoods) => {
      found[index] = likelihoods
      hooks.onProgress(++done, trees.length)
    })
  }
  return found
}

async function scoreBucket(
  model: Running,
  trees: readonly Tree[],
  { rows, length }: Bucket,
  { batch, greedy }: { batch: number; greedy: boolean },
  { signal }: ScoreHooks,
  onTree: (index: number, likelihoods: Likelihoods) => void,
): Promise<void> {
  const own = rows.map((row) => row.map((index) => trees[index]!))
  const size = Math.ceil(rows.length / Math.ceil(rows.length / batch)) // the last batch is nearly as full as the others
  const starts = Array.from({ length: Math.ceil(rows.length / size) }, (_, n) => n * size)
  const scoredIn = (start: number): number =>
    own
      .slice(start, start + size)
      .flat()
      .reduce((sum, { scored }) => sum + scored.length, 0)
  const shape = { rows: size, length, scored: Math.max(...starts.map(scoredIn)), tree: true, greedy }
  const program = await compileLikelihood(model, shape)
  try {
    for (const start of starts) {
      signal.throwIfAborted()
      const { feeds, scored } = layOut(own.slice(start, start + size), size, length)
      const found = await likelihood(program, model.memory, feeds, scored, shape)
      let at = 0
      for (const index of rows.slice(start, start + size).flat()) {
        const end = at + trees[index]!.scored.length
        const own = (all: ArrayLike<number>): number[] => Array.from(all).slice(at, end)
        onTree(index, { logProbs: own(found.logProbs), likeliest: own(found.likeliest), highest: own(found.highest) })
        at = end
      }
      await new Promise(setImmediate)
    }
  } finally {
    await program.dispose()
  }
}
