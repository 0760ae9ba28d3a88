import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fromHalf, toHalf } from '../../lib/util/half.ts'
import type { TensorValue } from '../../lib/engine/index.ts'
import type { InnerLosses } from '../../lib/model/inner.ts'
import { openLayerwise } from '../../lib/model/layerwise.ts'
import { collect } from '../../lib/util/collect.ts'
import { Rows } from '../../lib/model/batches.ts'
import { adamW } from '../../lib/model/optimizer.ts'
import type { StoredTeacher } from '../../lib/model/taught.ts'
import { readTargets, writeTargets } from '../../lib/model/teacher.ts'
import { train } from '../../lib/model/train.ts'
import type { TrainOptions, Trained, TrainTeacher } from '../../lib/model/train.ts'
import { initialise } from '../../lib/model/weights.ts'
import type { Model } from '../../lib/model/weights.ts'
import { assertClose, asStored, copied, engine, plainKl, scratch, stream, tinyNeo } from './rig.ts'

const temporary = scratch()
const quiet = { signal: new AbortController().signal, onRows: (): void => undefined, onBatch: (): void => undefined }

/** Wider than the student, and of more tokens. */
const teacherConfig = tinyNeo({ width: 12, heads: 3, inner: 24, vocabSize: 16 })
const model: Model = { config: teacherConfig, digest: 'teacher', weights: sharp(initialise(teacherConfig, 2)) }
const stored = asStored({ ...model, weight: (name) => model.weights.get(name)! })
const split = stream(95, 13)
/** No key has a bias here: its gradient would be rounding alone, which AdamW blows up. */
const config = tinyNeo({ layers: 1, attention: ['local'] })
const options: TrainOptions = {
  ...{ context: 12, batch: 4, accumulate: 1, clip: 1, seed: 1, validateEvery: 1, validationRows: 0, chunk: 16 },
  rate: { peak: 0.01, warmup: 0, decay: 'cosine', last: 0.1, steps: 3 },
  ...{ optimizer: adamW, temperature: 2, alpha: { from: 0.9, to: 0.3, shape: 'linear', by: 'step' } },
}
const inner: InnerLosses = {
  hidden: { pairs: [], loss: 'mse', weight: 1 },
  attention: { pairs: [], loss: 'kl', weight: 1 },
}
const live = { shape: { kind: 'online', config: teacherConfig, inner }, model } as const
const form = { kind: 'hidden', dtype: 'F16', width: 12 } as const
let folders = 0

const trained = (teacher: TrainTeacher, over: Partial<TrainOptions> = {}): Promise<Trained> =>
  train(
    { engine, config, weights: copied(initialise(config, 1)), train: split, validation: stream(30, 13, 2), teacher },
    { ...options, ...over },
    {
      checkpoint: join(temporary, `checkpoint-${folders++}`),
      signal: quiet.signal,
      ...{ onStep: () => undefined, log: () => undefined },
    },
  )

describe('a teacher that runs in each step', () => {
  for (const accumulate of [1, 2]) {
    it(`teaches as its hidden states do, to their half precision, in ${accumulate} micro-batches`, async (t) => {
      const folder = join(temporary, `targets-${accumulate}`)
      const how = { context: 12, batch: 3, tokenizerDigest: 'tokenizer', form }
      await writeTargets(folder, engine, stored, split, how, quiet)
      const cached = readTargets(folder, 'bucket')
      const [online, fromTargets] = [
        await trained({ ...live, objective: plainKl }, { accumulate }),
        await trained({ ...cached, objective: plainKl }, { accumulate }),
      ]
      cached.targets.close()
      compare(t, online, fromTargets, 1e-3)
      assert.notDeepEqual(online.points, fromTargets.points)
    })
  }

  it('teaches as its hidden states in full precision do, by every form of loss', async (t) => {
    const exact = await exactTargets()
    for (const name of ['forward-kl', 'reverse-kl', 'mse-logits'] as const) {
      const objective = { ...plainKl, weights: { [name]: 1 } }
      compare(t, await trained({ ...live, objective }), await trained({ ...exact, objective }), 1e-5)
    }
  })

  it('does not learn: the next step is taught the same', async (t) => {
    const long = { ...options, rate: { ...options.rate, steps: 6 } }
    const exact = { ...(await exactTargets()), objective: plainKl }
    compare(t, await trained({ ...live, objective: plainKl }, long), await trained(exact, long), 2e-5)
  })
})

/** What each step says: its losses are of the weights that the one before left. */
function compare(t: Parameters<typeof assertClose>[0], one: Trained, other: Trained, tolerance: number): void {
  assert.equal(one.points.length, other.points.length)
  for (const key of ['loss', 'ce', 'gradNorm'] as const) {
    const of = ({ points }: Trained): number[] => points.map((point) => point[key])
    assertClose(t, key, of(one), of(other), tolerance)
  }
  const terms = ({ points }: Trained): number[] => points.flatMap((point) => Object.values(point.terms!))
  assertClose(t, 'terms', terms(one), terms(other), tolerance)
}

/** The hidden states as float32, where a file would hold halves. */
async function exactTargets(): Promise<StoredTeacher> {
  const rows = new Rows(split, 12)
  const layerwise = await openLayerwise(engine, stored, { rows: 1, length: 12 })
  const hidden = new Float32Array(94 * 12)
  for (const [row, { start, length }] of rows.windows.entries()) {
    const [states] = (await collect(layerwise.run([{ tokens: rows.feeds([row]).tokens }], quiet))) as [
      TensorValue & { data: Float32Array },
    ]
    hidden.set(states.data.subarray(0, length * 12), start * 12)
  }
  await layerwise.dispose()
  assert.notDeepEqual(fromHalf(toHalf(hidden)), hidden)
  const cut = { packing: { context: 12, stride: 12 }, attend: 'row' } as const
  const header = { model: 'exact', tokenizer: 'tokenizer', stream: split.digest, ...cut, count: 94, form }
  const columns = (at: number, length: number) => ({ hidden: hidden.slice(at * 12, (at + length) * 12) })
  const head = stored.weight('transformer.wte.weight')
  return { targets: { header, columns, close: () => undefined }, shape: { kind: 'hidden', head: [16, 12] }, head }
}

/** A teacher with opinions: the embeddings of a new model are small. */
function sharp(weights: ReadonlyMap<string, TensorValue>): Map<string, TensorValue> {
  const larger = ({ shape, data }: TensorValue): TensorValue => ({
    shape,
    data: shape.length === 1 ? data : data.map((value) => 15 * value),
  })
  return new Map([...weights].map(([name, value]) => [name, larger(value)]))
}
