import { compileLikelihood, likelihood } from './likelihood.ts'
import type { Likelihoods, Running } from './likelihood.ts'
import type { ScoreHooks } from './perplexity.ts'
import { bucketsOf, treeFeeds } from './tree.ts'
import type { Bucket, Tree } from './tree.ts'

/**
 * Of each tree the likelihoods of its scored tokens: what a row gets does not depend on its neighbours, nor on `batch`,
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
  for (const bucket of bucketsOf(trees.map((tree) => tree.tokens.length))) {
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
  { members, length }: Bucket,
  { batch, greedy }: { batch: number; greedy: boolean },
  { signal }: ScoreHooks,
  onTree: (index: number, likelihoods: Likelihoods) => void,
): Promise<void> {
  const rows = Math.min(batch, members.length)
  const most = Math.max(...members.map((index) => trees[index]!.scored.length))
  const shape = { rows, length, scored: rows * most, tree: true, greedy }
  const program = await compileLikelihood(model, shape)
  try {
    for (let start = 0; start < members.length; start += rows) {
      signal.throwIfAborted()
      const some = members.slice(start, start + rows)
      const own = some.map((index) => trees[index]!)
      const scored = own.flatMap((tree, row) =>
        tree.scored.map((one) => ({ ...one, source: row * length + one.source })),
      )
      const found = await likelihood(program, model.memory, treeFeeds(own, rows, length), scored, shape)
      const [logProbs, likeliest] = [Array.from(found.logProbs), Array.from(found.likeliest)]
      let at = 0
      own.forEach(({ scored: { length: size } }, row) => {
        onTree(some[row]!, { logProbs: logProbs.slice(at, at + size), likeliest: likeliest.slice(at, at + size) })
        at += size
      })
      await new Promise(setImmediate)
    }
  } finally {
    await program.dispose()
  }
}
