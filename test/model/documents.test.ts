import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Split } from '../../lib/data/tokens.ts'
import type { TensorValue } from '../../lib/engine/index.ts'
import { input, matmul, reshape } from '../../lib/graph/index.ts'
import { Rows } from '../../lib/model/batches.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { frozenWeights } from '../../lib/model/freeze.ts'
import { gpt, headOf } from '../../lib/model/gpt.ts'
import type { InnerLosses } from '../../lib/model/inner.ts'
import { joinedRows } from '../../lib/model/mixture.ts'
import type { StoredTeacher } from '../../lib/model/taught.ts'
import { readTargets, writeTargets } from '../../lib/model/teacher.ts'
import { initialise, weightState } from '../../lib/model/weights.ts'
import { assertClose, asStored, copied, engine, evaluate, ids, plainKl, splitOf, stream, tiny, tinyNeo } from './rig.ts'
import { config, newFolder, options, text, trained } from './training.ts'
import type { Setup } from './training.ts'

/** Rows of 12, 12 and 5 tokens, over documents of 4, 17 and 9. */
const starts = [0, 4, 21]
const documented = (seed: number): Split => splitOf(stream(30, 13, seed).ids as Uint16Array, starts)
const [train, validation] = [documented(1), documented(2)]
/** Attention that takes sides. */
const sharp = (of: GptConfig): Map<string, TensorValue> => initialise(of, 1, { deviation: 0.5 })
const start = sharp(config)
const setup = (over: Partial<Setup['options']> = {}): Setup => ({
  inputs: { ...text, weights: start, train, validation },
  options: { ...options, batch: 3, attend: 'document', validateEvery: 1, ...over },
})

describe('documents of a row', () => {
  it('are numbered through the stream, padding by −1', () => {
    const rows = new Rows(train, 12)
    const [first, second, third] = [
      [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],
      [1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2],
      [2, 2, 2, 2, 2, ...Array<number>(7).fill(-1)],
    ] as const
    assert.deepEqual(rows.documents([2, 0, 1]), ids([3, 12], [...third, ...first, ...second]))
    assert.deepEqual(rows.documents([3]), ids([1, 12], Array<number>(12).fill(-1)))
    const joined = joinedRows(train, [{ name: 'other', train: validation, weight: 1 }], 12)
    assert.deepEqual(
      Array.from(joined.documents([5, 4]).data),
      [...third, ...second].map((document) => (document < 0 ? -1 : document + 3)),
    )
  })

  for (const accumulate of [1, 3]) {
    it(`do not see one another: each is learnt and validated as if run apart, ${accumulate} micro-batches`, async (t) => {
      const { points } = await trained(setup({ accumulate }))
      assertClose(t, 'ce', [points[0]!.ce], [await lossApart(train)], 1e-6)
      const untouched = await trained(setup({ accumulate, rate: { ...options.rate, steps: 0 } }))
      assertClose(t, 'validation', [untouched.best.loss], [await lossApart(validation)], 1e-6)
      const seeing = await trained(setup({ accumulate, attend: 'row' }))
      assert.ok(Math.abs(seeing.points[0]!.ce - points[0]!.ce) > 1e-2)
    })
  }

  for (const fixed of [1, 2]) {
    it(`are apart in layers that are run once: ${fixed} of 2`, async (t) => {
      const two = tinyNeo({ attention: ['local', 'global'] })
      const frozen = frozenWeights(two, ['transformer.w*', 'transformer.h.*'])
      const own = (over: Partial<Setup['options']>): Setup => ({
        inputs: { ...setup().inputs, config: two, weights: sharp(two) },
        options: { ...setup().options, frozen, ...over },
      })
      const [kept, plain] = [await trained(own({ fixed })), await trained(own({}))]
      const of = ({ points }: typeof kept): number[] => points.map(({ loss }) => loss)
      assertClose(t, 'loss', of(kept), of(plain), 1e-5)
    })
  }

  const inner: InnerLosses = {
    hidden: { pairs: [], loss: 'mse', weight: 1 },
    attention: { pairs: [{ teacher: 1, student: 1 }], loss: 'kl', weight: 1 },
  }
  it('are apart for a teacher too: who has run teaches as one who runs, and both see what the student sees', async (t) => {
    const cached = await taught(config, start, train)
    assert.equal(cached.targets.header.attend, 'document')
    const model = { config, digest: 'teacher', weights: copied(start) }
    for (const teacher of [cached, { shape: { kind: 'online', config, inner }, model } as const]) {
      const inputs = { ...setup().inputs, teacher: { ...teacher, objective: plainKl } }
      const { points } = await trained({ ...setup(), inputs })
      // the student starts as its teacher: the distance is 0 where both see the same
      for (const [name, distance] of Object.entries(points[0]!.terms!)) {
        t.diagnostic(`${teacher.shape.kind}, ${name}: ${distance}`)
        assert.ok(Math.abs(distance) < 1e-5)
      }
    }
    cached.targets.close()
  })

  for (const [name, of] of Object.entries({
    'GPT-2': tiny(),
    'GPT-Neo': tinyNeo(),
    'GPT-Neo, local layers alone': tinyNeo({ attention: ['local', 'local'] }),
  })) {
    it(`keep their hidden states to the last bit when another document changes: ${name}`, async () => {
      const weights = sharp(of)
      const before = await statesOf(of, weights, train)
      for (const at of [2, 3, 4, 11, 19, 20, 21]) {
        const tokens = Uint16Array.from(train.ids, (id, n) => (n === at ? (id + 1) % 13 : id))
        const after = await statesOf(of, weights, splitOf(tokens, starts))
        const changed = after.flatMap((state, n) => (state.every((value, c) => value === before[n]![c]) ? [] : [n]))
        assert.ok(changed.includes(at))
        assert.deepEqual(new Set(changed.map(documentAt)), new Set([documentAt(at)]), `token ${at}`)
      }
    })
  }
})

const documentAt = (token: number): number => starts.findLastIndex((begin) => begin <= token)

/** What a teacher whose documents are apart says of a stream; whoever asks closes the targets. */
async function taught(
  of: GptConfig,
  weights: ReadonlyMap<string, TensorValue>,
  split: Split,
): Promise<Extract<StoredTeacher, { head: unknown }>> {
  const folder = newFolder()
  const teacher = asStored({ config: of, digest: 'teacher', weight: (name) => weights.get(name)! })
  const form = { kind: 'hidden', dtype: 'F16', width: of.width } as const
  const how = { context: 12, attend: 'document', batch: 2, tokenizerDigest: 'tokenizer', form } as const
  const quiet = { signal: new AbortController().signal, onRows: (): void => undefined }
  await writeTargets(join(folder, 'targets'), engine, teacher, split, how, quiet)
  const read = readTargets(join(folder, 'targets'), 'bucket')
  assert.ok('head' in read)
  return read
}

/** The hidden state at each token but the last. */
async function statesOf(of: GptConfig, weights: ReadonlyMap<string, TensorValue>, split: Split): Promise<number[][]> {
  const { targets } = await taught(of, weights, split)
  const states = Array.from({ length: 29 }, (_, n) => Array.from(targets.columns(n, 1)['hidden']!))
  targets.close()
  return states
}

/** Mean cross-entropy of a stream whose documents, as far as they are in one row, are run one by one. */
async function lossApart(split: Split): Promise<number> {
  const losses: number[] = []
  for (const { start: row, length } of new Rows(split, 12).windows) {
    const bounds = [row, ...Array.from(split.documents).filter((at) => at > row && at < row + length), row + length]
    for (const [n, begin] of bounds.slice(0, -1).entries()) {
      losses.push(...(await lossesOf(split, begin - row, begin, bounds[n + 1]!)))
    }
  }
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length
}

/** Of tokens `begin` to `end` as a row of their own, whose positions count from `place`. */
async function lossesOf({ ids: tokens }: Split, place: number, begin: number, end: number): Promise<number[]> {
  const T = end - begin
  const weight = weightState(config)
  const batch = { tokens: input('tokens', [1, T], 'int32'), positions: input('positions', [1, T], 'int32') }
  const hidden = reshape(gpt(config, weight, batch), [T, config.width])
  const logits = matmul(hidden, headOf(config, weight), { transposeB: true })
  const places = Array.from({ length: T }, (_, t) => place + t)
  const feeds = { tokens: ids([1, T], Array.from(tokens.subarray(begin, end))), positions: ids([1, T], places) }
  const found = (await evaluate({ logits }, feeds, start))['logits']!.data
  return Array.from({ length: T }, (_, t) => {
    const row = Array.from(found.subarray(t * 13, t * 13 + 13))
    return Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - row[tokens[begin + t + 1]!]!
  })
}
