import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { checkTargets } from '../../lib/data/targets/check.ts'
import type { Targets } from '../../lib/data/targets.ts'
import { widened } from '../../lib/engine/widened.ts'
import type { TensorValue } from '../../lib/engine/index.ts'
import { grad, input, reshape, state } from '../../lib/graph/index.ts'
import { Rows } from '../../lib/model/batches.ts'
import { gpt, headOf } from '../../lib/model/gpt.ts'
import { distillLoss } from '../../lib/model/losses.ts'
import { openLayerwise } from '../../lib/model/layerwise.ts'
import { collect } from '../../lib/util/collect.ts'
import { readTargets, writeTargets } from '../../lib/model/teacher.ts'
import { initialise, weightShapes, weightState } from '../../lib/model/weights.ts'
import { fromHalf, toHalf } from '../../lib/util/half.ts'
import { assertClose, asStored, engine, evaluate, plainKl, scalar, scratch, stream, tiny, tinyNeo } from './rig.ts'
import type { Values } from './rig.ts'

const temporary = scratch()
const quiet = { signal: new AbortController().signal, onRows: (): void => undefined }

/** Wider than the student, and of more tokens. */
const config = tinyNeo({ width: 12, heads: 3, inner: 24, vocabSize: 16 })
const weights = sharpened(initialise(config, 2))
const teacher = asStored({ config, weight: (name) => weights.get(name)!, digest: 'teacher' })
const student = { config: tiny(), weights: initialise(tiny(), 1) }
const names = [...weightShapes(student.config).keys()]

/** 94 predictions: seven rows of 12 and one of 10. */
const split = stream(95, 13)
const rows = new Rows(split, 12)
const form = { kind: 'hidden', dtype: 'F16', width: 12 } as const

describe('cached targets', async () => {
  const { targets, head } = await written('cached', 3)
  const hiddenOf = (indices: readonly number[]): TensorValue => widened(rows.targets(indices, targets)['hidden']!)

  it('are the hidden states of every position that has a successor, to half precision', async () => {
    const all = await Promise.all(rows.windows.map((_, row) => online([row])))
    const expected = all.flatMap(({ data }, row) => Array.from(data.subarray(0, rows.windows[row]!.length * 12)))
    assert.deepEqual(targets.columns(0, 94)['hidden'], halves(Float32Array.from(expected)))
    assert.deepEqual(head, teacher.weight('transformer.wte.weight'))
  })

  for (const temperature of [1, 2, 5]) {
    for (const indices of [
      [0, 1, 2],
      [7, 3, 5],
    ]) {
      it(`teach as the teacher itself: T = ${temperature}, rows ${indices.join()}`, async (t) => {
        const live = await online(indices)
        const cached = await learn(indices, hiddenOf(indices), temperature)
        const taught = await learn(indices, live, temperature)
        for (const [name, { data }] of Object.entries(taught)) assertClose(t, name, cached[name]!.data, data, 1e-3)
        assert.notDeepEqual(cached, taught)
        // bit for bit where half precision can hold the states
        const held = { ...live, data: halves(live.data) }
        assert.deepEqual(hiddenOf(indices).data, masked(held, indices))
        assert.deepEqual(cached, await learn(indices, held, temperature))
      })
    }
  }

  it('are the same file in whatever batch', async () => {
    const expected = readFileSync(join(temporary, 'cached', 'targets.bin'))
    for (const batch of [1, 2, 5, 8, 64]) {
      await written(`batch-${batch}`, batch)
      assert.deepEqual(readFileSync(join(temporary, `batch-${batch}`, 'targets.bin')), expected)
    }
  })

  it('say what they are of', () => {
    const rows = { packing: { context: 12, stride: 12 }, attend: 'row' } as const
    const expected = { model: 'teacher', tokenizer: 'tokenizer', stream: split.digest, ...rows, count: 94, form }
    assert.deepEqual(targets.header, expected)
    assert.equal(checkTargets(targets.header, expected).ok, true)
  })

  it('are whole or not there', async () => {
    const stop = new AbortController()
    const folder = join(temporary, 'stopped')
    const seen: number[] = []
    const onRows = (done: number, total: number): void => {
      assert.equal(total, 8)
      if (seen.push(done) === 7) stop.abort()
    }
    const options = { context: 12, batch: 3, tokenizerDigest: 'tokenizer', form }
    const stopped = writeTargets(folder, engine, teacher, split, options, { signal: stop.signal, onRows })
    await assert.rejects(stopped, { name: 'AbortError' })
    assert.deepEqual(seen, [0, 1, 2, 2, 3, 4, 4]) // three batches, each through four parts of the model
    assert.deepEqual(readdirSync(folder), [])
    assert.throws(() => readTargets(folder, 'bucket'), { code: 'FILE_MISSING' })
  })

  it("cannot be of rows longer than the teacher's position table", async () => {
    const options = { context: 13, batch: 3, tokenizerDigest: 'tokenizer', form }
    const folder = join(temporary, 'long')
    await assert.rejects(writeTargets(folder, engine, teacher, split, options, quiet), { code: 'CONTEXT_TOO_LONG' })
  })

  it('cannot be of a teacher whose states half precision cannot hold', async () => {
    const large = { shape: [12], data: new Float32Array(12).fill(1e5) }
    const loud = asStored({
      ...teacher,
      weight: (name) => (name === 'transformer.ln_f.bias' ? large : teacher.weight(name)),
    })
    const folder = join(temporary, 'loud')
    const options = { context: 12, batch: 3, tokenizerDigest: 'tokenizer', form }
    await assert.rejects(writeTargets(folder, engine, loud, split, options, quiet), { code: 'TARGETS_RANGE' })
    assert.deepEqual(readdirSync(folder), [])
  })
})

async function written(name: string, batch: number): Promise<{ targets: Targets; head: TensorValue }> {
  const folder = join(temporary, name)
  await writeTargets(folder, engine, teacher, split, { context: 12, batch, tokenizerDigest: 'tokenizer', form }, quiet)
  const read = readTargets(folder, 'bucket')
  assert.ok('head' in read)
  return read
}

/** The teacher's hidden states of these rows, run now: (B·T, D). */
async function online(indices: readonly number[]): Promise<TensorValue> {
  const layerwise = await openLayerwise(engine, teacher, { rows: indices.length, length: 12 })
  const hooks = { signal: quiet.signal, onBatch: () => undefined }
  const [hidden] = await collect(layerwise.run([{ tokens: rows.feeds(indices).tokens }], hooks))
  await layerwise.dispose()
  return { shape: [indices.length * 12, 12], data: hidden!.data as Float32Array }
}

/** The student's loss on these rows, and every gradient. */
async function learn(indices: readonly number[], teacherHidden: TensorValue, temperature: number): Promise<Values> {
  const { tokens, labels } = rows.feeds(indices)
  const count = labels.data.length
  const weight = weightState(student.config)
  const batch = { tokens: input('tokens', tokens.shape, 'int32') }
  const inputs = {
    hidden: reshape(gpt(student.config, weight, batch), [count, 8]),
    head: headOf(config, weight),
    labels: input('labels', [count], 'int32'),
    teacher: {
      hidden: input('teacherHidden', [count, 12]),
      head: state('teacher', [16, 12]),
      temperature: input('temperature', []),
      alpha: input('alpha', []),
      objective: plainKl,
    },
  }
  const { loss, terms } = distillLoss(inputs, 16)
  const gradients = grad(loss, names.map(weight))
  const outputs = {
    loss,
    kl: terms['forward-kl']!,
    ...Object.fromEntries(names.map((name, i) => [name, gradients[i]!])),
  }
  const feeds = { tokens, labels, teacherHidden, temperature: scalar(temperature), alpha: scalar(0.9) }
  const held = new Map([...student.weights, ['teacher', teacher.weight('transformer.wte.weight')] as const])
  return evaluate(outputs, feeds, held)
}

/** 0 in the padding. */
function masked({ data }: TensorValue, indices: readonly number[]): Float32Array {
  const { labels } = rows.feeds(indices)
  return Float32Array.from(data, (value, i) => (labels.data[Math.floor(i / 12)]! < 0 ? 0 : value))
}

const halves = (data: TensorValue['data']): Float32Array => fromHalf(toHalf(data as Float32Array))

/** A teacher with opinions: the embeddings of a new model are small. */
function sharpened(weights: ReadonlyMap<string, TensorValue>): Map<string, TensorValue> {
  const larger = ({ shape, data }: TensorValue): TensorValue => ({
    shape,
    data: shape.length === 1 ? data : data.map((value) => 15 * value),
  })
  return new Map([...weights].map(([name, value]) => [name, larger(value)]))
}
