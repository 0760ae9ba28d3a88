import assert from 'node:assert/strict'
import fs, { readFileSync, readdirSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { describe, it, mock } from 'node:test'
import type { Engine, Memory, TensorValue } from '../../lib/engine/index.ts'
import { Checkpoints } from '../../lib/model/checkpoint.ts'
import { hold } from '../../lib/model/likelihood.ts'
import type { LossName } from '../../lib/model/losses/divergence.ts'
import { adamW, momentNames } from '../../lib/model/optimizer.ts'
import { Order } from '../../lib/model/order.ts'
import { perplexity } from '../../lib/model/perplexity.ts'
import { rateAt } from '../../lib/model/schedule.ts'
import type { CurvePoint, TrainOptions } from '../../lib/model/train.ts'
import { initialise } from '../../lib/model/weights.ts'
import { quiet } from './plain.ts'
import { assertClose, engine, plainKl, stream, vector } from './rig.ts'
import type { Values } from './rig.ts'
import {
  alone,
  config,
  inParts,
  names,
  newFolder,
  options,
  start,
  stateAfter,
  taught,
  teacherOf,
  text,
  trained,
} from './training.ts'
import type { Setup } from './training.ts'

const partsOfLoss: Readonly<Record<string, (point: CurvePoint) => number>> = {
  loss: ({ loss }) => loss,
  ce: ({ ce }) => ce,
  kl: ({ terms }) => terms!['forward-kl']!,
  gradNorm: ({ gradNorm }) => gradNorm,
}

describe('a step of uneven micro-batches', () => {
  // four rows of 12, 12, 12 and 3 labels: all of them in each step
  const split = stream(40, 13)
  const uneven = { ...text, train: split, teacher: teacherOf('teacher', split) }
  const setup = (accumulate: number, clip: number): Setup => ({
    inputs: uneven,
    options: { ...options, accumulate, clip },
  })
  const states: Record<string, ReturnType<typeof stateAfter>> = {}
  const first = (accumulate: number, clip: number): ReturnType<typeof stateAfter> =>
    (states[`${accumulate}/${clip}`] ??= stateAfter(setup(accumulate, clip), 1))
  const one = trained(setup(1, 0.05))

  for (const accumulate of [2, 4]) {
    it(`${accumulate} of them are as one batch`, async (t) => {
      for (const clip of [0.05, 1000]) {
        const [whole, parts] = [await first(1, clip), await first(accumulate, clip)]
        for (const name of names.flatMap(momentNames)) {
          assertClose(t, name, parts.get(name)!.data, whole.get(name)!.data, 5e-6)
        }
      }
      const [whole, parts] = [await one, await trained(setup(accumulate, 0.05))]
      for (const [key, of] of Object.entries(partsOfLoss)) {
        assertClose(t, key, parts.points.map(of), whole.points.map(of), 1e-5)
      }
      for (const name of names) assertClose(t, name, parts.weights.get(name)!.data, whole.weights.get(name)!.data, 1e-4)
    })
  }

  for (const accumulate of [1, 2, 4]) {
    it(`is clipped as a whole, after ${accumulate} were added up, and starts from nothing again`, async (t) => {
      const gradients = async (clip: number) => {
        const state = await first(accumulate, clip)
        for (const name of names)
          assert.equal(state.get(`accumulated/${name}`)?.data.every((sum) => sum === 0) ?? true, true, name)
        return names.flatMap((name) => Array.from(state.get(momentNames(name)[0])!.data, (m) => m / (1 - adamW.beta1)))
      }
      const [clipped, free] = [await gradients(0.05), await gradients(1000)]
      assertClose(t, 'norm', [Math.hypot(...clipped)], [0.05], 1e-5)
      const factor = 0.05 / Math.hypot(...free)
      assert.ok(factor < 0.5, `${factor}`)
      assertClose(
        t,
        'clipped',
        clipped,
        free.map((value) => value * factor),
        1e-5,
      )
    })
  }

  it('cannot be cut into parts that are not equal', async () => {
    await assert.rejects(trained(setup(3, 1)), { code: 'ACCUMULATE_UNEVEN', message: /4 rows.* 3 equal/ })
  })
})

describe('the first step', () => {
  const after = (weightDecay: number) =>
    stateAfter({ ...taught, options: { ...options, optimizer: { ...adamW, weightDecay } } }, 1)

  it('decays matrices and embeddings, by rate times decay, and nothing else', async (t) => {
    const [plain, decayed] = [await after(0), await after(0.5)]
    for (const name of names) {
      const [{ shape, data: before }, without, found] = [start.get(name)!, plain.get(name)!, decayed.get(name)!]
      if (shape.length === 1) assert.deepEqual(found, without, name)
      else
        assertClose(
          t,
          name,
          found.data,
          without.data.map((value, i) => value - 0.005 * 0.5 * before[i]!),
          1e-6,
        )
    }
  })

  it("goes as far as the warm-up's first rate", async (t) => {
    const plain = await after(0)
    const moved = names.flatMap((name) =>
      Array.from(plain.get(name)!.data, (value, i) => value - start.get(name)!.data[i]!),
    )
    assertClose(t, 'furthest', [Math.max(...moved.map(Math.abs))], [rateAt(options.rate, 0)], 1e-3)
  })

  it('is followed by others that take the moments, bias corrected, times their own rate', async (t) => {
    const { beta1, beta2, epsilon, weightDecay } = adamW
    for (const step of [2, 4]) {
      const [before, state] = [await stateAfter(taught, step - 1), await stateAfter(taught, step)]
      const rate = rateAt(options.rate, step - 1)
      for (const name of names) {
        const [m, v] = momentNames(name).map((moment) => state.get(moment)!.data)
        const { shape, data } = before.get(name)!
        const keep = shape.length === 1 ? 1 : 1 - rate * weightDecay
        const expected = Array.from(data, (value, i) => {
          const root = Math.sqrt(v![i]! / (1 - beta2 ** step)) + epsilon
          return keep * value - (rate * m![i]!) / (1 - beta1 ** step) / root
        })
        assertClose(t, name, state.get(name)!.data, expected, 1e-6)
      }
    }
  })
})

describe('the curves', () => {
  it('hold rate, epoch and the parts of the loss of each validated step', async (t) => {
    const { points } = await trained({ ...taught, options: { ...options, validateEvery: 1 } })
    assert.deepEqual(
      points.map(({ step, epoch, rate }) => [step, epoch, rate]),
      [0, 1, 2, 3, 4].map((done) => [done + 1, ((done + 1) * 4) / 13, rateAt(options.rate, done)]),
    )
    for (const { step, loss, ce, terms } of points) {
      const share = 0.9 - (0.6 * (step - 1)) / 4
      assertClose(t, 'loss', [loss], [share * 4 * terms!['forward-kl']! + (1 - share) * ce], 1e-6)
    }
  })

  for (const accumulate of [1, 2]) {
    it(`hold each term of a sum, without weight and T², of ${accumulate} micro-batches`, async (t) => {
      const sum = { ...plainKl, weights: { 'reverse-kl': 0.5, 'mse-logits': 0.01 } }
      const inputs = { ...text, teacher: teacherOf('teacher', text.train, sum) }
      const { points } = await trained({ inputs, options: { ...options, accumulate, validateEvery: 1 } })
      const alike = { ...options, alpha: 0.9, validateEvery: 1 }
      const of = async (name: LossName): Promise<number> => {
        const teacher = teacherOf('teacher', text.train, { ...plainKl, weights: { [name]: 1 } })
        return (await trained({ inputs: { ...text, teacher }, options: alike })).points[0]!.terms![name]!
      }
      const [first] = points
      assert.deepEqual(Object.keys(first!.terms!), ['reverse-kl', 'mse-logits'])
      for (const name of ['reverse-kl', 'mse-logits'] as const) {
        assertClose(t, name, [first!.terms![name]!], [await of(name)], 1e-5)
      }
      for (const { step, loss, ce, terms } of points) {
        const share = 0.9 - (0.6 * (step - 1)) / 4
        const distance = 0.5 * 4 * terms!['reverse-kl']! + 0.01 * terms!['mse-logits']!
        assertClose(t, 'loss', [loss], [share * distance + (1 - share) * ce], 1e-6)
      }
    })
  }

  it('have no terms without a teacher, whose loss is the cross-entropy', async () => {
    const { points } = await trained(alone)
    for (const point of points) assert.deepEqual([point.loss, 'terms' in point], [point.ce, false])
  })
})

describe('the order of rows', () => {
  it('takes each row once an epoch, every epoch in another order, and is a matter of the step alone', () => {
    const order = new Order(13, { batch: 4, seed: 1 })
    const rows = Array.from({ length: 13 }, (_, step) => order.rowsOf(step))
    const epochs = [0, 1, 2, 3].map((epoch) => rows.flat().slice(epoch * 13, (epoch + 1) * 13))
    for (const epoch of epochs)
      assert.deepEqual(
        [...epoch].sort((a, b) => a - b),
        [...Array(13).keys()],
      )
    assert.equal(new Set(epochs.map(String)).size, 4)
    for (const step of [12, 3, 0, 7]) assert.deepEqual(new Order(13, { batch: 4, seed: 1 }).rowsOf(step), rows[step])
    assert.notDeepEqual(new Order(13, { batch: 4, seed: 2 }).rowsOf(0), rows[0])
    assert.deepEqual(new Order(2, { batch: 5, seed: 1 }).rowsOf(1).length, 5)
  })
})

describe('a training that is stopped', () => {
  for (const [what, setup, every] of [
    ['of a teacher', taught, 2],
    ['of micro-batches', inParts, 5],
  ] as const) {
    it(`and goes on ends in the same weights, moments and curves, wherever it was: ${what}`, async () => {
      let runs = 0
      const whole = await trained(setup, { engine: watched((values) => (runs++, values)) })
      assert.notEqual(whole.best.step, 0)
      const state = await stateAfter(setup, 5)
      for (let at = 1; at <= runs; at += every) {
        const folder = newFolder()
        await stoppedAt(setup, at, folder)
        assert.deepEqual(await stateAfter(setup, 5, folder), state, `stopped at run ${at} of ${runs}`)
        assert.deepEqual(await trained(setup, { folder }), whole)
      }
    })
  }

  it('twice, and then is over, is the same too, and does nothing more', async () => {
    const [folder, whole] = [newFolder(), await trained(taught)]
    for (const step of [1, 4]) await stateAfter(taught, step, folder)
    assert.deepEqual(await trained(taught, { folder }), whole)
  })
})

describe('a checkpoint', () => {
  const tensors = (step: number, factor: number) => new Map([['w', vector([step * factor, 1, 2, 3])]])
  const opened = (folder: string) =>
    new Checkpoints<{ step: number; best: { step: number } }>(folder, (step) => `this one until ${step}`)
  const save = (folder: string, step: number): void => {
    const checkpoints = opened(folder)
    checkpoints.saveBest(step, tensors(step, 10))
    checkpoints.save({ step, best: { step } }, tensors(step, 100))
  }
  const load = (folder: string) => {
    const checkpoints = opened(folder)
    const last = checkpoints.load()
    return last && { ...last, best: checkpoints.loadBest(last.progress.best.step) }
  }
  const saved = (step: number) => ({
    progress: { step, best: { step } },
    state: tensors(step, 100),
    best: tensors(step, 10),
  })

  it('killed at any of its writes leaves the last one, whole, and the next one leaves no draft', () => {
    const left: unknown[] = []
    for (let at = 1, alive = false; !alive; at++) {
      const folder = newFolder()
      save(folder, 1)
      alive = killedAt(at, () => save(folder, 2))
      const found = load(folder)
      left.push(found?.progress.best.step)
      assert.deepEqual(found, saved(found!.progress.best.step), `killed at write ${at}`)
      save(folder, 3)
      assert.deepEqual(load(folder), saved(3))
      assert.deepEqual(readdirSync(folder).sort(), ['best-3.safetensors', 'state.safetensors'])
    }
    assert.ok(left.length > 10 && left[0] === 1 && left.at(-1) === 2, left.join())
  })

  const known = newFolder()
  const stopped = stateAfter(taught, 1, known)
  const others: Record<string, Setup> = {
    'another seed': { ...taught, options: { ...options, seed: 2 } },
    'another temperature': { ...taught, options: { ...options, temperature: 1 } },
    'another start': { ...taught, inputs: { ...taught.inputs, weights: initialise(config, 2) } },
    'another text': { ...taught, inputs: { ...taught.inputs, train: stream(150, 13, 3) } },
    'another validation text': { ...taught, inputs: { ...taught.inputs, validation: stream(30, 13, 3) } },
    'another objective': {
      ...taught,
      inputs: { ...taught.inputs, teacher: teacherOf('teacher', text.train, { ...plainKl, squareTemperature: false }) },
    },
    'another teacher': { ...taught, inputs: { ...taught.inputs, teacher: teacherOf('other', text.train) } },
    'no teacher': alone,
  }
  for (const [what, setup] of Object.entries(others)) {
    it(`of another training is refused: ${what}`, async () => {
      await stopped
      const refused = trained(setup, { folder: known })
      await assert.rejects(refused, { code: 'CHECKPOINT_FOREIGN', message: new RegExp(known) })
    })
  }
})

describe('the same seed', () => {
  for (const [what, setup] of Object.entries({ alone, taught, inParts })) {
    it(`gives the same bytes, another seed others: ${what}`, async () => {
      const [one, again] = [await trained(setup), await trained(setup)]
      assert.deepEqual(again, one)
      const other = await trained({ ...setup, options: { ...options, seed: 2 } })
      for (const name of names) assert.notDeepEqual(other.weights.get(name), one.weights.get(name), name)
      assert.deepEqual(initialise(config, 1), start)
      assert.notDeepEqual(initialise(config, 2), start)
    })
  }
})

describe('a number that is none', () => {
  const cases: [string, (values: Values, memory: Memory) => Values, RegExp][] = [
    [
      'the loss',
      (values) => ({ ...values, loss: nothing }),
      /^After step 3 the loss is NaN\. .* good checkpoint .* is kept/,
    ],
    ['the norm', (values) => ({ ...values, gradNorm: vector([Infinity]) }), /^After step 3 the gradient's norm is Inf/],
    [
      'a weight',
      (values, memory) => (memory.write('transformer.wpe.weight', broken), values),
      /^After step 3 the tensor "transformer\.wpe/,
    ],
  ]
  for (const [what, poison, message] of cases) {
    it(`ends the training by its step's name, and the last good checkpoint stands: ${what}`, async () => {
      const [folder, whole] = [newFolder(), await trained(taught)]
      await stateAfter(taught, 2, folder)
      const good = readFileSync(join(folder, 'state.safetensors'))
      let step = 2
      const stop = new AbortController()
      const poisoned = watched((values, memory) => {
        if (!('gradNorm' in values) || ++step !== 3) return values
        stop.abort() // there will be a checkpoint if there is one to write
        return poison(values, memory)
      })
      const failed = trained(taught, { folder, engine: poisoned, signal: stop.signal })
      await assert.rejects(failed, { code: 'LOSS_NOT_FINITE', exitCode: 1, message })
      assert.deepEqual(readFileSync(join(folder, 'state.safetensors')), good)
      assert.deepEqual(await trained(taught, { folder }), whole)
    })
  }

  it('is seen in the validation loss too', async () => {
    const bad = new Map([...start, ['transformer.ln_f.bias', { shape: [8], data: new Float32Array(8).fill(NaN) }]])
    const failed = trained({ ...alone, inputs: { ...text, weights: bad } })
    await assert.rejects(failed, { code: 'LOSS_NOT_FINITE', message: /^After step 0 the validation loss is NaN/ })
  })
})

describe('the weights that a training gives', () => {
  const rate = { peak: 0.012, warmup: 0, decay: 'constant', last: 1, steps: 24 } as const
  const overfit: Setup = { inputs: { ...text, train: stream(30, 13) }, options: { ...options, rate, validateEvery: 3 } }

  it('are those of the lowest validation loss', async () => {
    const { best, points, weights } = await trained(overfit)
    const losses = points.map(({ validationLoss }) => validationLoss).filter((loss) => loss !== undefined)
    assert.equal(losses.length, 8)
    assert.equal(best.loss, Math.min(...losses))
    assert.equal(best.step, 3 * (losses.indexOf(best.loss) + 1))
    assert.ok(best.step > 3 && best.step < 24, `best after step ${best.step}`)
    const state = await stateAfter(overfit, best.step)
    for (const name of names) assert.deepEqual(weights.get(name), state.get(name))
  })

  it('are the start where no step is better', async () => {
    const { best, weights, points } = await trained({
      ...alone,
      options: { ...options, rate: { ...rate, peak: 3, steps: 4 } },
    })
    assert.deepEqual([best.step, weights], [0, start])
    assert.deepEqual(
      points.filter(({ validationLoss = Infinity }) => validationLoss <= best.loss),
      [],
    )
  })

  it('are judged by the loss per token of the validation split, or of its first rows', async (t) => {
    const judged = async (setup: Partial<TrainOptions>): Promise<number> =>
      (await trained({ ...alone, options: { ...options, ...setup, rate: { ...rate, steps: 0 } } })).best.loss
    const running = hold(engine, { config, weights: start })
    for (const rows of [0, 1, 2]) {
      const tokens = rows === 0 ? 0 : rows * 12 + 1
      const { value } = await perplexity(running, text.validation, { context: 12, stride: 12, batch: 1, tokens }, quiet)
      for (const [batch, accumulate] of [
        [1, 1],
        [4, 1],
        [4, 2],
      ] as const) {
        assertClose(t, 'loss', [await judged({ batch, accumulate, validationRows: rows })], [Math.log(value)], 1e-6)
      }
    }
  })

  it('cannot come of rows longer than the position table', async () => {
    await assert.rejects(trained({ ...alone, options: { ...options, context: 13 } }), { code: 'CONTEXT_TOO_LONG' })
  })
})

const nothing = vector([NaN])
const broken: TensorValue = { shape: [12, 8], data: new Float32Array(96).fill(NaN) }

/** Stops in the n-th run of any program. */
async function stoppedAt(setup: Setup, n: number, folder: string): Promise<void> {
  const stop = new AbortController()
  let runs = 0
  const counting = watched((values) => {
    if (++runs === n) stop.abort()
    return values
  })
  await assert.rejects(trained(setup, { folder, signal: stop.signal, engine: counting }), { name: 'AbortError' })
}

/** The engine, but that `onRun` sees what each run of a program gave, and may give something else. */
function watched(onRun: (values: Values, memory: Memory) => Values): Engine {
  return {
    ...engine,
    compile: async (graph) => {
      const program = await engine.compile(graph)
      return {
        dispose: () => program.dispose(),
        run: async (feeds, memory) => onRun(await program.run(feeds, memory), memory!),
      }
    },
  }
}

/** Runs it on a disk that nothing reaches from its n-th write on, of which half arrives. Whether there were fewer. */
function killedAt(n: number, action: () => void): boolean {
  let writes = 0
  const original = { ...fs }
  for (const name of ['openSync', 'writeSync', 'fsyncSync', 'renameSync', 'rmSync'] as const) {
    const real = original[name] as (...args: unknown[]) => unknown
    mock.method(fs, name, (...args: unknown[]) => {
      if (name === 'openSync' && args[1] === 'r') return real(...args)
      if (++writes < n) return real(...args)
      const [fd, bytes] = args as [number, Uint8Array]
      if (writes === n && name === 'writeSync') original.writeSync(fd, bytes, 0, bytes.length >> 1)
      throw new Error('killed')
    })
  }
  syncBuiltinESMExports()
  try {
    action()
    return true
  } catch {
    return false
  } finally {
    mock.restoreAll()
    syncBuiltinESMExports()
  }
}
