import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, after, describe, it } from 'node:test'
import { grad, input, matmul, reshape, slice, state } from '../../lib/graph/index.ts'
import type { Engine } from '../../lib/engine/index.ts'
import type { Tensor } from '../../lib/graph/index.ts'
import { gpt, headOf } from '../../lib/model/gpt.ts'
import type { Weights } from '../../lib/model/gpt.ts'
import { distillLoss } from '../../lib/model/losses.ts'
import type { Loss } from '../../lib/model/losses.ts'
import { adamW, corrections, momentNames } from '../../lib/model/optimizer.ts'
import { compileStep, emptyState } from '../../lib/model/steps.ts'
import { teacherHeadName } from '../../lib/model/taught.ts'
import { loadInto, loadModel, weightShapes, weightState } from '../../lib/model/weights.ts'
import { assertClose, copied, evaluate, fixtures, int32, plainKl, scalar, tensorsOf } from './rig.ts'

// What PyTorch and transformers gave (test/reference), in float64 from the same float32 weights.

export interface Tolerance {
  readonly logits: number
  readonly loss: number
  readonly gradient: number
  readonly losses: number
  readonly norms: number
  readonly final: number
}

/** Float32 against float64, as shares of each tensor's largest entry. */
export const float32: Tolerance = { logits: 2e-6, loss: 1e-6, gradient: 5e-6, losses: 2e-6, norms: 5e-6, final: 2e-5 }

/** What the reference gives, by an engine that is opened for it. */
export function testReference(open: () => Promise<Engine>, tolerance: Tolerance = float32): void {
  let engine: Engine
  before(async () => void (engine = await open()))
  after(() => engine.dispose())

  for (const name of ['gpt2', 'gpt-neo']) {
    describe(`${name} of the reference`, async () => {
      const folder = join(fixtures, name)
      const { config, weights } = await loadModel(folder)
      const expected = tensorsOf(join(folder, 'expected.safetensors'))
      const value = (key: string): Float32Array => expected.get(key)!.data as Float32Array
      const names = [...weightShapes(config).keys()]

      const tokens = int32(expected.get('tokens')!)
      const [B, T] = tokens.shape as readonly [number, number]
      const padding = { positions: int32(expected.get('positions')!), segments: int32(expected.get('segments')!) }
      const padded = (key: 'tokens' | 'positions' | 'segments'): Tensor => input(key, [B, T], 'int32')
      const hiddenOf = (weight: Weights): Tensor =>
        gpt(config, weight, { tokens: padded('tokens'), positions: padded('positions'), segments: padded('segments') })

      const labels = { shape: [B * T], data: int32(expected.get('labels')!).data }
      const teacher = { hidden: expected.get('teacher.hidden')!, head: expected.get('teacher.head')! }
      const lossFeeds = { labels, teacherHidden: teacher.hidden, temperature: scalar(2), alpha: scalar(0.7) }
      const held = new Map([...weights, [teacherHeadName, teacher.head] as const])
      const lossOf = (weight: Weights, chunk: number): Loss => {
        const soft = {
          hidden: input('teacherHidden', teacher.hidden.shape),
          head: state(teacherHeadName, teacher.head.shape),
          temperature: input('temperature', []),
          alpha: input('alpha', []),
          objective: plainKl,
        }
        const hidden = reshape(hiddenOf(weight), [B * T, config.width])
        return distillLoss(
          { hidden, head: headOf(config, weight), labels: input('labels', [B * T], 'int32'), teacher: soft },
          chunk,
        )
      }

      it('gives its logits on rows padded left and right', async (t) => {
        const weight = weightState(config)
        const logits = matmul(hiddenOf(weight), headOf(config, weight), { transposeB: true })
        const found = await evaluate({ logits }, { tokens, ...padding }, held, engine)
        const real = (data: ArrayLike<number>): number[] =>
          Array.from(data).filter((_, i) => padding.segments.data[Math.floor(i / config.vocabSize)] === 0)
        assertClose(t, 'logits', real(found['logits']!.data), real(value('logits')), tolerance.logits)
      })

      for (const chunk of [7, 1000]) {
        it(`gives its loss and every gradient, ${chunk} tokens at a time`, async (t) => {
          const weight = weightState(config)
          const { loss, ce, terms } = lossOf(weight, chunk)
          const gradients = grad(loss, names.map(weight))
          const outputs = Object.fromEntries(names.map((one, i) => [`gradient/${one}`, gradients[i]!]))
          const found = await evaluate(
            { loss, ce, kl: terms['forward-kl']!, ...outputs },
            { tokens, ...padding, ...lossFeeds },
            held,
            engine,
          )
          for (const key of ['loss', 'ce', 'kl']) assertClose(t, key, found[key]!.data, value(key), tolerance.loss)
          const there = [...expected.keys()].filter((key) => key.startsWith('gradient/'))
          assert.deepEqual(there.sort(), Object.keys(outputs).sort())
          for (const key of there) assertClose(t, key, found[key]!.data, value(key), tolerance.gradient)
        })
      }

      it('gives its ten steps of AdamW: losses, norms before clipping, final weights', async (t) => {
        const memory = engine.memory()
        loadInto(memory, new Map([...copied(held), ...emptyState(config, 1)]))
        const [W, D] = teacher.head.shape as readonly [number, number]
        const optimizer = { ...adamW, weightDecay: 0.1 }
        const shape = {
          config,
          rows: B,
          context: T,
          chunk: 16,
          teacher: { kind: 'hidden' as const, head: [W, D] as const, objective: plainKl },
          optimizer,
          clip: 0.5,
        }
        const program = await compileStep(engine, shape)
        const valid = labels.data.filter((label) => label >= 0).length
        const losses: number[] = []
        const norms: number[] = []
        const tiny = new Map<string, ReadonlySet<number>>()
        for (const [step, rate] of value('rates').entries()) {
          const [correction1, correction2] = corrections(step + 1, optimizer)
          const scalars = { rate, correction1, correction2, weight: valid }
          const fed = Object.fromEntries(Object.entries(scalars).map(([key, one]) => [key, scalar(one)]))
          const { loss, gradNorm } = await program.run({ tokens, ...lossFeeds, ...fed }, memory)
          losses.push(loss!.data[0]!)
          norms.push(gradNorm!.data[0]!)
          if (step > 0) continue
          for (const one of names) {
            const { data: moments } = await memory.read(momentNames(one)[0])
            tiny.set(one, roundedAway(moments))
          }
        }
        await program.dispose()
        assertClose(t, 'losses', losses, value('losses'), tolerance.losses)
        assertClose(t, 'norms', norms, value('norms'), tolerance.norms)
        for (const one of names) {
          const { data: found } = await memory.read(one)
          // softmax takes no notice of a bias of all keys: its gradient is 0 but for rounding, which AdamW blows up
          const keys = one.endsWith('c_attn.bias') ? [found.length / 3, (found.length / 3) * 2] : [0, 0]
          const isReal = (i: number): boolean => (i < keys[0]! || i >= keys[1]!) && !tiny.get(one)!.has(i)
          const rest = (data: ArrayLike<number>): number[] => Array.from(data).filter((_, i) => isReal(i))
          const most = 1 + found.length / 1000 + keys[1]! - keys[0]!
          assert.ok(tiny.get(one)!.size <= most, `final ${one}: ${tiny.get(one)!.size} left out`)
          assertClose(t, `final ${one}`, rest(found), rest(value(`final/${one}`)), tolerance.final)
        }
        memory.dispose()
      })
    })
  }

  describe('a local layer of 256 positions', async () => {
    const folder = join(fixtures, 'gpt-neo-window')
    const { config, weights } = await loadModel(folder)
    const expected = tensorsOf(join(folder, 'expected.safetensors'))

    for (const T of [300, 1024]) {
      it(`gives the reference's logits in a row of ${T} tokens`, async (t) => {
        const weight = weightState(config)
        const hidden = gpt(config, weight, { tokens: slice(input('tokens', [1, 1024], 'int32'), [0, 0], [1, T]) })
        const logits = matmul(hidden, headOf(config, weight), { transposeB: true })
        const found = await evaluate({ logits }, { tokens: int32(expected.get('tokens')!) }, weights, engine)
        const all = expected.get('logits')!.data.subarray(0, T * config.vocabSize)
        assertClose(t, 'logits', found['logits']!.data, all, tolerance.logits)
      })
    }
  })
}

/** The entries of first moments that rounding alone may have made: AdamW's first step is a whole one for them, either way. */
function roundedAway(moments: ArrayLike<number>): ReadonlySet<number> {
  const sizes = Array.from(moments, Math.abs)
  const least = Math.max(...sizes) * float32.gradient
  return new Set(sizes.flatMap((size, i) => (size > 0 && size <= least ? [i] : [])))
}
