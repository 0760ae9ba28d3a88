import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { AutoModelForCausalLM, env, ones as allOnes, Tensor as TheirTensor } from '@xenova/transformers'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { saveOnnx } from '../../lib/export/onnx/file.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { hold } from '../../lib/model/likelihood.ts'
import { logitsOf } from '../../lib/model/logits.ts'
import { initialise, loadModel } from '../../lib/model/weights.ts'
import type { Model } from '../../lib/model/weights.ts'
import { engine, fixtures, scratch, tiny, tinyNeo } from '../model/rig.ts'

env.allowRemoteModels = false

type Named = Pick<Model, 'config' | 'weights'>

/** The session of an exported model, as onnxruntime-node alone makes it. */
class Session {
  readonly #session: InferenceSession
  readonly #config: GptConfig

  private constructor(session: InferenceSession, config: GptConfig) {
    this.#session = session
    this.#config = config
  }

  static async of(folder: string, { config }: Named): Promise<Session> {
    const options = { intraOpNumThreads: 1, logSeverityLevel: 3 } as const
    return new Session(await InferenceSession.create(join(folder, 'onnx', 'model.onnx'), options), config)
  }

  /** A past of no token for so many rows. */
  empty(rows: number): Record<string, Tensor> {
    const { layers, heads, width } = this.#config
    const none = (): Tensor => new Tensor('float32', new Float32Array(0), [rows, heads, 0, width / heads])
    const names = Array.from({ length: layers }, (_, n) => [`present.${n}.key`, `present.${n}.value`]).flat()
    return Object.fromEntries(names.map((name) => [name, none()]))
  }

  /** `seen` are the rows of the mask, whose ends stand for `rows`; `before` is what an earlier call gave. */
  async run(
    rows: readonly (readonly number[])[],
    seen: readonly (readonly number[])[],
    before: Readonly<Record<string, Tensor>> = this.empty(rows.length),
  ): Promise<Record<string, Tensor>> {
    const int = (of: readonly (readonly number[])[]): Tensor =>
      new Tensor('int64', BigInt64Array.from(of.flat().map(BigInt)), [of.length, of[0]!.length])
    const places = seen.map((row, n) => positions(row).slice(-rows[n]!.length))
    const past = Object.entries(before).filter(([name]) => name.startsWith('present.'))
    return this.#session.run({
      input_ids: int(rows),
      attention_mask: int(seen),
      position_ids: int(places),
      ...Object.fromEntries(past.map(([name, value]) => [name.replace('present', 'past_key_values'), value])),
    })
  }
}

/** As transformers and transformers.js count them: from the first token that is seen on, padding at 1. */
function positions(seen: readonly number[]): number[] {
  let count = 0
  return seen.map((one) => (one === 1 ? count++ : 1))
}

const rowsOf = ({ dims, data }: Tensor): number[][][] => {
  const [B, T, V] = dims as readonly [number, number, number]
  const at = (b: number, t: number): number[] =>
    Array.from(data.slice((b * T + t) * V, (b * T + t + 1) * V) as Float32Array)
  return Array.from({ length: B }, (_, b) => Array.from({ length: T }, (__, t) => at(b, t)))
}

const ours = async ({ config, weights }: Named, ids: readonly number[]): Promise<number[][]> => {
  const model = hold(engine, { config, weights })
  try {
    return (await logitsOf(model, ids)).map((row) => Array.from(row))
  } finally {
    model.memory.dispose()
  }
}

/** What transformers.js says with the folder alone. */
async function theirs(folder: string, ids: readonly number[]): Promise<number[][]> {
  const model = await AutoModelForCausalLM.from_pretrained(folder, { dtype: 'fp32' })
  const row = [1, ids.length]
  const given = { input_ids: new TheirTensor('int64', ids.map(BigInt), row), attention_mask: allOnes(row) }
  const { logits } = (await model(given)) as { logits: { tolist(): number[][][] } }
  await model.dispose()
  return logits.tolist()[0]!
}

/** Gives the largest difference, which must be at most 1e-4. */
function assertClose(found: readonly number[][], expected: readonly number[][]): number {
  assert.deepEqual([found.length, found[0]!.length], [expected.length, expected[0]!.length])
  const worst = Math.max(...found.flatMap((row, t) => row.map((logit, v) => Math.abs(logit - expected[t]![v]!))))
  assert.ok(worst <= 1e-4, `largest difference ${worst}`)
  return worst
}

const ones = (length: number): number[] => Array.from({ length }, () => 1)

const drawn = (config: GptConfig): Named => ({ config, weights: initialise(config, 3, { deviation: 0.4 }) })
const models: Readonly<Record<string, () => Promise<Named> | Named>> = {
  'a GPT-2': () => loadModel(join(fixtures, 'gpt2')),
  'a GPT-Neo': () => loadModel(join(fixtures, 'gpt-neo')),
  'a GPT-Neo whose window is shorter than the row': () => loadModel(join(fixtures, 'gpt-neo-window')),
  'a GPT-2 with a head of its own': () => drawn(tiny({ tied: false })),
  'a GPT-Neo with a head of its own': () => drawn(tinyNeo({ tied: false })),
}

for (const [what, make] of Object.entries(models)) {
  describe(`${what} as ONNX`, async () => {
    const model = await make()
    const folder = scratch()
    saveOnnx(folder, model, 0)
    const session = await Session.of(folder, model)
    const { vocabSize, context } = model.config
    const T = Math.min(context, 300)
    const ids = Array.from({ length: T }, (_, n) => (7 * n + n * n + 3) % vocabSize)
    const expected = await ours(model, ids)

    it('gives our logits, of a row without a past', async (t) => {
      const { logits } = await session.run([ids], [ones(T)])
      const worst = assertClose(rowsOf(logits!)[0]!, expected)
      t.diagnostic(`largest difference ${worst.toExponential(1)}`)
    })

    it('gives them in transformers.js', async () => {
      assertClose(await theirs(folder, ids), expected)
    })

    it('gives them of what follows a past, of many tokens and of one', async () => {
      const cut = Math.floor(T / 2)
      const first = await session.run([ids.slice(0, cut)], [ones(cut)])
      const second = await session.run([ids.slice(cut, T - 1)], [ones(T - 1)], first)
      const third = await session.run([ids.slice(T - 1)], [ones(T)], second)
      const found = [first, second, third].flatMap(({ logits }) => rowsOf(logits!)[0]!)
      assertClose(found, expected)
      assert.equal(third['present.0.key']!.dims[2], T)
    })

    it('gives them of rows padded before their first token', async () => {
      const [pads, rest] = [4, ids.slice(0, T - 4)]
      const seen = [ones(T), [0, 0, 0, 0, ...ones(T - pads)]]
      const [whole, padded] = rowsOf((await session.run([ids, [1, 1, 1, 1, ...rest]], seen)).logits!)
      assertClose(whole!, expected)
      // a local layer counts the distance between places in the row, which padding moves alike
      assertClose(padded!.slice(pads), expected.slice(0, T - pads))
    })
  })
}

describe('a model too large for one file of protobuf', () => {
  for (const config of [tiny(), tinyNeo({ tied: false })]) {
    it(`has its weights beside it, each once, and gives the same logits: ${config.architecture}`, async () => {
      const model = drawn(config)
      const folder = join(scratch(), 'a')
      mkdirSync(folder)
      saveOnnx(folder, model, 0, 1000)
      const json = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>
      assert.deepEqual(json['transformers.js_config'], { use_external_data_format: { 'model.onnx': 1 } })
      const pages = [...model.weights.values()].map(({ data }) => Math.ceil(data.byteLength / 4096) * 4096)
      const size = statSync(join(folder, 'onnx/model.onnx_data')).size
      assert.equal(
        size,
        pages.reduce((sum, one) => sum + one, 0),
      )
      const ids = [3, 1, 4, 1, 5, 9, 2, 6]
      const expected = await ours(model, ids)
      const { logits } = await (await Session.of(folder, model)).run([ids], [ones(8)])
      assertClose(rowsOf(logits!)[0]!, expected)
      assertClose(await theirs(folder, ids), expected)
    })
  }
})
