import type { TopkForm } from '../data/targets/form.ts'
import type { Engine } from '../engine/engine.ts'
import { concat, div, exp, graph, input, logSoftmax, slice } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import type { PieceCondenser } from './condense.ts'
import { checkFinite } from './likelihood.ts'
import { pick, placesOf, restOf } from './losses/sparse.ts'

/** The least that a half holds: a logit so far below the largest has no probability. */
const least = -65504

/** The greatest of logits (P, V), and what the others have together. */
export async function openTopk(engine: Engine, logits: Tensor, form: TopkForm): Promise<PieceCondenser> {
  const [P, V] = logits.shape as readonly [number, number]
  const { k } = form
  const first = await engine.compile(graph({ outputs: { logits } }))
  // the engine gives no ids: they go back to it, and the rest is summed there
  const second = await engine.compile(graph({ outputs: { tails: tailsOf([P, V], form) } }))
  return {
    columns: async (feeds, memory, count) => {
      const { logits } = await first.run(feeds, memory)
      const all = logits!.data as Float32Array
      const ids = new Int32Array(P * k)
      for (let n = 0; n < P; n++) ids.set(greatest(all.subarray(n * V, (n + 1) * V), k), n * k)
      const { tails } = await second.run({ logits: logits!, ids: { shape: [P, k], data: ids } })
      const found = tails!.data.subarray(0, count * form.temperatures.length)
      checkFinite(found)
      const wanted = ids.subarray(0, count * k)
      const relative = Float32Array.from(wanted, (id, i) => {
        const row = Math.floor(i / k)
        return Math.max(least, all[row * V + id]! - all[row * V + wanted[row * k]!]!)
      })
      return { ids: wanted, logits: relative, tails: found }
    },
    dispose: async () => {
      await Promise.all([first.dispose(), second.dispose()])
    },
  }
}

/** (P, temperatures): the probability of all tokens but `ids` at each. */
function tailsOf([P, V]: readonly [number, number], { k, temperatures }: TopkForm): Tensor {
  const logits = input('logits', [P, V])
  const places = placesOf(input('ids', [P, k], 'int32'), V)
  const tails = temperatures.map((temperature) => {
    const scaled = div(logits, temperature)
    const classes = concat([pick(scaled, places), restOf(scaled, places).logSum], 1) // (P, k + 1)
    return slice(exp(logSoftmax(classes)), [0, k], [-1, 1])
  })
  return concat(tails, 1)
}

/** The ids of the `count` greatest values, greatest first, of equal ones the lower id first. */
export function greatest(values: Float32Array, count: number): Int32Array {
  const before = (a: number, b: number): number => values[b]! - values[a]! || a - b
  let kept: number[] = []
  let bar = -Infinity
  for (let id = 0; id < values.length; id++) {
    if (kept.length >= count && values[id]! <= bar) continue
    kept.push(id)
    if (kept.length < 2 * count) continue
    kept = kept.sort(before).slice(0, count)
    bar = values[kept[count - 1]!]!
  }
  return Int32Array.from(kept.sort(before).slice(0, count))
}
