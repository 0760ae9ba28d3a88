import type { SampledForm } from '../data/targets/form.ts'
import type { Columns } from '../data/targets/records.ts'
import type { Engine } from '../engine/engine.ts'
import { div, exp, graph, logSoftmax, mul, sub, sum } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import { Random } from '../util/random.ts'
import type { PieceCondenser } from './condense.ts'
import { checkFinite } from './likelihood.ts'

/** Draws from the softened distributions of logits (P, V), and their entropy. */
export async function openSampler(engine: Engine, logits: Tensor, form: SampledForm): Promise<PieceCondenser> {
  const logProbs = logSoftmax(div(logits, form.temperature))
  const probs = exp(logProbs)
  const entropy = sub(0, sum(mul(probs, logProbs), [1]))
  const program = await engine.compile(graph({ outputs: { probs, entropy } }))
  return {
    columns: async (feeds, memory, count, start) => {
      const { probs, entropy } = await program.run(feeds, memory)
      return columnsOf(form, probs!.data as Float32Array, entropy!.data.slice(0, count), start)
    },
    dispose: () => program.dispose(),
  }
}

function columnsOf(form: SampledForm, probs: Float32Array, entropy: Columns[string], start: number): Columns {
  const { vocabulary: V, samples, seed } = form
  checkFinite(entropy)
  const ids = new Int32Array(entropy.length * samples)
  for (let n = 0; n < entropy.length; n++) {
    const random = new Random(seed, `draws of position ${start + n}`)
    ids.set(
      draw(probs.subarray(n * V, (n + 1) * V), samples, () => random.uniform()),
      n * samples,
    )
  }
  return { ids, entropy }
}

/** So many ids by these weights, independently, in ascending order; `uniform` is in [0, 1). None of weight 0 is drawn. */
export function draw(weights: Float32Array, count: number, uniform: () => number): Int32Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const marks = Float64Array.from({ length: count }, () => (1 - uniform()) * total).sort() // none is 0
  const ids = new Int32Array(count)
  let [at, sum] = [0, 0]
  for (let id = 0; id < weights.length; id++) {
    sum += weights[id]!
    while (at < count && marks[at]! <= sum) ids[at++] = id
  }
  return ids
}
