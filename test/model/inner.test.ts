import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { openEngine } from '../../lib/engine/index.ts'
import type { Engine, TensorValue } from '../../lib/engine/index.ts'
import { constant, input, state } from '../../lib/graph/index.ts'
import { gptInside } from '../../lib/model/gpt.ts'
import type { Inside } from '../../lib/model/gpt.ts'
import { innerTerms } from '../../lib/model/inner.ts'
import type { InnerLosses, LayerPair } from '../../lib/model/inner.ts'
import { adamW } from '../../lib/model/optimizer.ts'
import { startBeside } from '../../lib/model/start-state.ts'
import { accumulatorName, compileAccumulate } from '../../lib/model/steps.ts'
import { loadTeacher } from '../../lib/model/taught.ts'
import { train } from '../../lib/model/train.ts'
import type { TrainHooks, TrainInputs, TrainOptions, Trained } from '../../lib/model/train.ts'
import { initialise, loadInto, loadModel, weightShapes, weightState } from '../../lib/model/weights.ts'
import { assertClose, copied, engine, evaluate, fixtures, ids, int32, plainKl, scalar, scratch } from './rig.ts'
import { stream, tensorsOf, tiny, tinyNeo } from './rig.ts'
import type { Values } from './rig.ts'

const temporary = scratch()
const tfjs = await openEngine({ name: 'tfjs-cpu', threads: 1 })
after(() => tfjs.dispose())
const pairsOf = (...pairs: readonly (readonly [number, number])[]): LayerPair[] =>
  pairs.map(([teacher, student]) => ({ teacher, student }))

describe("PyTorch's losses between a GPT-2 and a GPT-Neo", async () => {
  const expected = tensorsOf(join(fixtures, '..', 'losses', 'inner.safetensors'))
  const [student, teacher] = [await loadModel(join(fixtures, 'gpt2')), await loadModel(join(fixtures, 'gpt-neo'))]
  const [hidden, attention] = [pairsOf([1, 1], [0, 0]), pairsOf([2, 1], [1, 2])]
  const sums: Record<string, InnerLosses> = {
    first: {
      hidden: { pairs: hidden, loss: 'mse', weight: 0.5 },
      attention: { pairs: attention, loss: 'kl', weight: 2 },
    },
    second: {
      hidden: { pairs: hidden, loss: 'cosine', weight: 3 },
      attention: { pairs: attention, loss: 'mse', weight: 0.25 },
    },
  }
  const labels = int32(expected.get('labels')!)
  const names = [...expected.keys()].flatMap((key) => (key.startsWith('first/') ? [key.slice(6)] : []))

  /** The terms, and by `gradient/NAME` what the sum of them alone has; each weight's gradient starts at 0. */
  const learn = async (inner: InnerLosses, on: Engine): Promise<Values> => {
    const memory = on.memory()
    loadTeacher(memory, { shape: { kind: 'online', config: teacher.config, inner }, model: teacher })
    loadInto(memory, copied(student.weights))
    for (const name of names) {
      if (name.startsWith('projection.')) memory.write(name, expected.get(name)!)
      const { shape } = expected.get(`first/${name}`)!
      const size = shape.reduce((all, length) => all * length, 1)
      memory.write(accumulatorName(name), { shape, data: new Float32Array(size) })
    }
    // of the distance between outputs next to nothing is left at this temperature
    const objective = { ...plainKl, squareTemperature: false }
    const program = await compileAccumulate(on, {
      ...{ config: student.config, rows: 2, context: 13, chunk: 16, optimizer: adamW, clip: 1 },
      teacher: { kind: 'online', config: teacher.config, inner, objective },
    })
    const scalars = { weight: labels.data.filter((label) => label >= 0).length, alpha: 1, temperature: 1e9 }
    const fed = Object.fromEntries(Object.entries(scalars).map(([key, value]) => [key, scalar(value)]))
    const found = await program.run({ tokens: int32(expected.get('tokens')!), labels, ...fed }, memory)
    const gradients: Record<string, TensorValue> = {}
    for (const name of names) gradients[`gradient/${name}`] = await memory.read(accumulatorName(name))
    await program.dispose()
    memory.dispose()
    return { ...found, ...gradients }
  }

  it('are of all that learns', () => {
    const all = [...weightShapes(student.config).keys(), 'projection.0.weight', 'projection.1.weight']
    assert.deepEqual([...names].sort(), all.sort())
  })

  for (const [which, inner] of Object.entries(sums)) {
    for (const on of [engine, tfjs]) {
      it(`and every gradient of the ${which} sum on ${on.name}`, async (t) => {
        const found = await learn(inner, on)
        const terms = [`hidden-${inner.hidden.loss}`, `attention-${inner.attention.loss}`]
        for (const term of terms) assertClose(t, term, found[term]!.data, expected.get(term)!.data, 5e-6)
        const weights = [inner.hidden.weight, inner.attention.weight]
        const sum = terms.reduce((all, term, n) => all + weights[n]! * found[term]!.data[0]!, 0)
        assertClose(t, 'loss', found['loss']!.data, [sum], 2e-6)
        for (const name of names) {
          const { data } = expected.get(`${which}/${name}`)!
          if (data.every((value) => Math.abs(value) < 1e-9)) {
            assert.ok(
              found[`gradient/${name}`]!.data.every((value) => Math.abs(value) < 1e-7),
              name,
            )
          } else assertClose(t, name, found[`gradient/${name}`]!.data, data, 2e-5)
        }
      })
    }
  }
})

describe('attention of models with other numbers of heads', () => {
  const [student, teacher] = [tiny(), tinyNeo({ heads: 4 })]
  const tokens = ids([1, 12], [1, 5, 2, 9, 0, 3, 3, 7, 12, 4, 8, 6])
  const weightsOf = (config: typeof student, seed: number, prefix: string): Map<string, TensorValue> =>
    new Map([...initialise(config, seed, { deviation: 0.5 })].map(([name, value]) => [prefix + name, value]))
  const held = new Map([...weightsOf(student, 1, 's/'), ...weightsOf(teacher, 2, 't/')])
  const inside = (config: typeof student, prefix: string): Inside => {
    const shapes = weightShapes(config)
    const weight = (name: string) => state(prefix + name, shapes.get(name)!)
    return gptInside(config, weight, { tokens: input('tokens', [1, 12], 'int32') })
  }

  for (const loss of ['kl', 'mse'] as const) {
    it(`is compared by the mean of the heads: ${loss}`, async (t) => {
      const both = { student: inside(student, 's/'), teacher: inside(teacher, 't/') }
      const inner: InnerLosses = {
        hidden: { pairs: [], loss: 'mse', weight: 1 },
        attention: { pairs: pairsOf([2, 1]), loss, weight: 1 },
      }
      const [term] = innerTerms(inner, both, constant(1 / 12, [12]), weightState(student))
      const outputs = { value: term!.value, s: both.student.shares[0]!, t: both.teacher.shares[1]! }
      const found = await evaluate(outputs, { tokens }, held)
      const averaged = ({ shape, data }: TensorValue): number[] =>
        Array.from({ length: 144 }, (_, at) => {
          const heads = Array.from({ length: shape[1]! }, (__, head) => data[head * 144 + at]!)
          return heads.reduce((a, b) => a + b) / heads.length
        })
      const [s, target] = [averaged(found['s']!), averaged(found['t']!)]
      const distance = (x: number, y: number): number =>
        loss === 'mse' ? (x - y) ** 2 : y === 0 ? 0 : y * Math.log(y / x)
      const expected = s.reduce((sum, x, at) => sum + distance(x, target[at]!) / 12, 0)
      assert.ok(expected > 0.01, `${expected}`)
      assertClose(t, 'value', found['value']!.data, [expected], 2e-6)
    })
  }

  it('is finite where the student may not look and the teacher does', async () => {
    const [narrow, wide] = [tinyNeo({ heads: 2, window: 2 }), tinyNeo({ heads: 2 })]
    const both = { student: inside(narrow, 's/'), teacher: inside(wide, 't/') }
    const inner: InnerLosses = {
      hidden: { pairs: [], loss: 'mse', weight: 1 },
      attention: { pairs: pairsOf([1, 2]), loss: 'kl', weight: 1 },
    }
    const [term] = innerTerms(inner, both, constant(1 / 12, [12]), weightState(narrow))
    const state = new Map([...weightsOf(narrow, 1, 's/'), ...weightsOf(wide, 2, 't/')])
    const { value } = await evaluate({ value: term!.value }, { tokens }, state)
    assert.ok(value!.data[0]! > 1 && value!.data[0]! < 126 * Math.LN2, `${value!.data[0]}`)
  })
})

describe('a training with projections', () => {
  const split = stream(95, 13)
  const teacher = tinyNeo({ width: 12, heads: 3, inner: 24 })
  const config = tinyNeo({ layers: 1, attention: ['local'] })
  const inner: InnerLosses = {
    hidden: { pairs: pairsOf([2, 1], [0, 0]), loss: 'mse', weight: 1 },
    attention: { pairs: pairsOf([1, 1]), loss: 'kl', weight: 1 },
  }
  const inputs = (of = inner): TrainInputs => ({
    ...{ engine, config, weights: copied(initialise(config, 1)), train: split, validation: stream(30, 13, 2) },
    teacher: {
      model: { config: teacher, digest: 'teacher', weights: initialise(teacher, 2, { deviation: 0.4 }) },
      shape: { kind: 'online', config: teacher, inner: of },
      objective: plainKl,
    },
  })
  const options: TrainOptions = {
    ...{ context: 12, batch: 4, accumulate: 1, clip: 1, seed: 1, validateEvery: 1, validationRows: 0, chunk: 16 },
    rate: { peak: 0.01, warmup: 0, decay: 'constant', last: 1, steps: 6 },
    ...{ optimizer: adamW, temperature: 2, alpha: 0.9 },
  }
  let folders = 0
  const trained = (over: Partial<TrainOptions> = {}, hooks: Partial<TrainHooks> = {}, of = inner): Promise<Trained> =>
    train(
      inputs(of),
      { ...options, ...over },
      {
        ...{ checkpoint: join(temporary, `${folders++}`), signal: new AbortController().signal },
        ...{ onStep: () => undefined, log: () => undefined, ...hooks },
      },
    )
  const whole = trained()

  it('writes both terms to the curves, whose sum is the loss, and comes nearer to the teacher', async (t) => {
    const { points } = await whole
    for (const { loss, ce, terms } of points) {
      assert.deepEqual(Object.keys(terms!), ['forward-kl', 'hidden-mse', 'attention-kl'])
      const { 'forward-kl': kl, 'hidden-mse': hidden, 'attention-kl': attention } = terms!
      assertClose(t, 'loss', [loss], [0.9 * (4 * kl! + hidden! + attention!) + 0.1 * ce], 2e-6)
    }
    assert.ok(points.at(-1)!.terms!['hidden-mse']! < 0.99 * points[0]!.terms!['hidden-mse']!)
  })

  it('gives a model without them', async () => {
    assert.deepEqual([...(await whole).weights.keys()].sort(), [...weightShapes(config).keys()].sort())
  })

  it('adds up over micro-batches', async (t) => {
    const parts = await trained({ accumulate: 2 })
    for (const name of ['hidden-mse', 'attention-kl']) {
      const of = ({ points }: Trained): number[] => points.map((point) => point.terms![name]!)
      assertClose(t, name, of(parts), of(await whole), 2e-5)
    }
  })

  it('goes on after a stop as if there had been none', async () => {
    const folder = join(temporary, 'stopped')
    const stop = new AbortController()
    const onStep = ({ step }: { step: number }): void => (step === 3 ? stop.abort() : undefined)
    await assert.rejects(trained({}, { checkpoint: folder, signal: stop.signal, onStep }), { name: 'AbortError' })
    const other = { ...inner, hidden: { ...inner.hidden, weight: 2 } }
    await assert.rejects(trained({}, { checkpoint: folder }, other), { code: 'CHECKPOINT_FOREIGN' })
    const { points, weights } = await trained({}, { checkpoint: folder })
    assert.deepEqual([points, weights], [(await whole).points, (await whole).weights])
  })

  it('starts them by the seed, of the size that keeps what goes through them', () => {
    const [one, other] = [1, 2].map((seed) => startBeside(inputs(), { ...options, seed }))
    const { shape, data } = one!.get('projection.0.weight')!
    assert.deepEqual(shape, [8, 12])
    const deviation = Math.hypot(...data) / Math.sqrt(data.length)
    assert.ok(Math.abs(deviation - 1 / Math.sqrt(8)) < 0.1, `${deviation}`)
    assert.notDeepEqual(other!.get('projection.0.weight')!.data, data)
    assert.notDeepEqual(one!.get('projection.1.weight')!.data, data)
    for (const name of ['adam.m/projection.0.weight', 'adam.v/projection.1.weight']) {
      assert.ok(one!.get(name)!.data.every((value) => value === 0))
    }
  })
})
