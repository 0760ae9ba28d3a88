import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { batched } from '../../../lib/engine/cuda/batch.ts'
import type { MatmulShape } from '../../../lib/engine/cuda/device.ts'
import type { Call } from '../../../lib/engine/cuda/plan.ts'
import type { Pointer, Storage } from '../../../lib/engine/cuda/storage.ts'

type Launch = Extract<Call, { kind: 'launch' }>

/** Whole numbers below another, the same for each seed. */
function random(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const at = (storage: Storage): Pointer => ({ storage, offset: 0 })

/** Kernel `id` takes storages, of which it writes the first. */
function launch(id: number, pointers: readonly Storage[], blocks = 1): Launch {
  const list = pointers.map((_, i) => (i === 0 ? `float* p${i}` : `const float* __restrict__ p${i}`)).join(', ')
  return {
    kind: 'launch',
    nodes: [],
    source: {
      text: `extern "C" __global__ void __launch_bounds__(256) NAME(${list}) {\n  // kernel ${id} of ${pointers.length}\n}`,
      pointers: pointers.map(at),
      writes: new Set([pointers[0]!]),
      grid: { blocks: [blocks, 1, 1], threads: 256 },
    },
  }
}

/** One launch for each of those that became one. */
function partsOf(call: Call): Call[] {
  if (call.kind !== 'launch') return [call]
  const [, id, taken] = /kernel (\d+) of (\d+)/.exec(call.source.text)!
  const { pointers, grid } = call.source
  const count = pointers.length / Number(taken)
  return Array.from({ length: count }, (_, i) => {
    const own = Array.from({ length: Number(taken) }, (_, p) => pointers[p * count + i]!.storage)
    return launch(Number(id), own, grid.blocks[0] / count)
  })
}

/** What is in each storage at the end, told by what made it. Parts of one launch read before any of them writes. */
function run(calls: readonly Call[]): Map<Storage, string> {
  const memory = new Map<Storage, string>()
  const made = (call: Call): readonly [Storage, ...unknown[]] => {
    const values = (pointers: readonly Pointer[]): unknown[] => pointers.map(({ storage }) => memory.get(storage))
    if (call.kind === 'launch') {
      const { text, grid, pointers } = call.source
      return [pointers[0]!.storage, text, grid.blocks, ...values(pointers)]
    }
    if (call.kind === 'copy') return [call.to.storage, ...values([call.from])]
    if (call.kind !== 'multiply') return [call.storage, call.kind, ...values([at(call.storage)])]
    const read = [call.a, call.b, ...(call.bias ? [call.bias] : []), ...(call.shape.accumulate ? [call.c] : [])]
    return [call.c.storage, ...values(read)]
  }
  for (const call of calls) {
    const all = partsOf(call).map(made)
    assert.equal(new Set(all.map(([into]) => into)).size, all.length)
    for (const [into, ...rest] of all) memory.set(into, createHash('sha256').update(JSON.stringify(rest)).digest('hex'))
  }
  return memory
}

/** Kernels, few of which differ, and products over few storages, of which some are large. */
function program(seed: number): Call[] {
  const next = random(seed)
  const storages = Array.from({ length: 24 }, (_, i): Storage => {
    const place = i < 8 ? ({ kind: 'state', name: `s${i}` } as const) : ({ kind: 'temporary' } as const)
    return { element: 'f32', entries: i % 4 === 0 ? 2 ** 20 : 64, place }
  })
  const any = (): Storage => storages[next(storages.length)]!
  return Array.from({ length: 80 }, (): Call => {
    const chance = next(20)
    if (chance === 0) return { kind: 'clear', storage: any() }
    if (chance === 1) return { kind: 'copy', from: at(any()), to: at(any()), entries: 1 }
    if (chance < 5) {
      const shape = { accumulate: next(2) === 0 } as MatmulShape
      const bias = next(2) === 0 ? at(any()) : undefined
      return { kind: 'multiply', shape, a: at(any()), b: at(any()), c: at(any()), bias, padded: [] }
    }
    const id = next(3)
    return launch(id, [any(), any(), ...(id > 0 ? [any()] : [])], 1 + next(2))
  })
}

describe('launches that become one', () => {
  it('leave in memory what they would one after the other, whatever they read and write', () => {
    let [before, after] = [0, 0]
    for (let seed = 0; seed < 300; seed++) {
      const calls = program(seed)
      const fewer = batched(calls)
      assert.deepEqual(run(fewer), run(calls), `program ${seed}`)
      before += calls.length
      after += fewer.length
    }
    assert.ok(after < 0.9 * before, `${after} of ${before}`)
  })

  const temporary = (entries: number): Storage => ({ element: 'f32', entries, place: { kind: 'temporary' } })
  const order = (calls: readonly Call[], storage: Storage): number[] =>
    calls.flatMap((call, i) => {
      const touched = call.kind === 'launch' ? call.source.pointers.map((one) => one.storage) : []
      return touched.includes(storage) ? [i] : []
    })

  it('wait for those that follow, with what is made of them', () => {
    // stages of sums, in turn with what makes their parts, which is too large to wait
    const sums = [1, 2, 3].flatMap(() => {
      const [large, parts, sum, twice] = [temporary(2 ** 24), temporary(2 ** 18), temporary(64), temporary(64)]
      return [launch(0, [parts, large]), launch(1, [sum, parts]), launch(2, [twice, sum])]
    })
    assert.deepEqual(
      batched(sums).map((call) => partsOf(call).length),
      [1, 1, 1, 3, 3],
    )
  })

  it('do not wait where they would keep what nothing else needs any longer', () => {
    const [large, state] = [temporary(2 ** 20), { ...temporary(64), place: { kind: 'state', name: 's' } } as Storage]
    const big = launch(0, [temporary(2 ** 24), temporary(64)])
    // read by a small one before the last, which is no small one
    const calls = [launch(1, [state, large]), launch(2, [temporary(2 ** 24), large]), big, big, big]
    assert.deepEqual(order(batched(calls), large), [0, 1])
    assert.deepEqual(order(batched([launch(1, [state, large]), big, big]), large), [0])
  })
})
