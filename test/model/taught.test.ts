import assert from 'node:assert/strict'
import { existsSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import type { Form, SampledForm, TopkForm } from '../../lib/data/targets/form.ts'
import type { Split } from '../../lib/data/tokens.ts'
import { StepFeeds } from '../../lib/model/feeds.ts'
import { frozenWeights } from '../../lib/model/freeze.ts'
import type { Mixed } from '../../lib/model/mixture.ts'
import type { Schedule } from '../../lib/model/schedule.ts'
import type { Others, StoredTeacher } from '../../lib/model/taught.ts'
import { readTargets, writeTargets } from '../../lib/model/teacher.ts'
import type { Trained } from '../../lib/model/train.ts'
import { initialise } from '../../lib/model/weights.ts'
import { assertClose, asStored, engine, plainKl, scratch, stream, tinyNeo } from './rig.ts'
import { config, newFolder, options, stateAfter, text, trained } from './training.ts'
import type { Setup } from './training.ts'

const temporary = scratch()
const quiet = { signal: new AbortController().signal, onRows: (): void => undefined }
const opened: StoredTeacher[] = []
after(() => {
  for (const { targets } of opened) targets.close()
})

const neo = tinyNeo({ width: 12, heads: 3, inner: 24, vocabSize: 16 })
const weights = initialise(neo, 2, { deviation: 1 })
const model = asStored({ config: neo, weight: (name) => weights.get(name)!, digest: 'teacher' })

const hidden: Form = { kind: 'hidden', dtype: 'F16', width: 12 }
const sampled: SampledForm = { kind: 'sampled', vocabulary: 13, samples: 5, temperature: 2, seed: 3 }
const topk: TopkForm = { kind: 'topk', vocabulary: 13, k: 4, temperatures: [1, 2, 4] }
/** Nothing is left out, so that it teaches what hidden states teach. */
const all: TopkForm = { ...topk, k: 13 }

async function targetsOf(form: Form, split: Split, others: Others = 'bucket'): Promise<StoredTeacher> {
  const folder = mkdtempSync(join(temporary, 'targets-'))
  await writeTargets(folder, engine, model, split, { context: 12, batch: 3, tokenizerDigest: 'tokenizer', form }, quiet)
  const read = readTargets(folder, others)
  opened.push(read)
  return read
}

async function setupOf(form: Form, over: Partial<Setup['options']> = {}, others?: Others): Promise<Setup> {
  const teacher = { ...(await targetsOf(form, text.train, others)), objective: plainKl }
  return { inputs: { ...text, teacher }, options: { ...options, ...over } }
}

function compare(t: TestContext, one: Trained, other: Trained, tolerance: number): void {
  const of = ({ points }: Trained) => points.map(({ loss, ce, terms }) => [loss, ce, terms!['forward-kl']!])
  assert.equal(one.points.length, other.points.length)
  assertClose(t, 'losses', of(one).flat(), of(other).flat(), tolerance)
}

const forms: [string, Form, Others][] = [
  ['hidden states of a byte', { ...hidden, dtype: 'I8' }, 'bucket'],
  ['draws', sampled, 'bucket'],
  ['the likeliest tokens and a bucket', topk, 'bucket'],
  ['the likeliest tokens alone', topk, 'renormalise'],
]

for (const [what, form, others] of forms) {
  describe(`a training with ${what}`, async () => {
    const setup = await setupOf(form, {}, others)
    const changed = (over: Partial<Setup['options']>): Setup => ({ ...setup, options: { ...options, ...over } })

    it('has forward KL as its term, and it falls', async () => {
      const { points } = await trained(changed({ alpha: 0.7, rate: { ...options.rate, steps: 40 } }))
      for (const { loss, ce, terms } of points) {
        assert.deepEqual(Object.keys(terms!), ['forward-kl'])
        assert.ok(Math.abs(0.7 * 4 * terms!['forward-kl']! + 0.3 * ce - loss) < 1e-5 * loss)
      }
      assert.ok(points.at(-1)!.terms!['forward-kl']! < points[0]!.terms!['forward-kl']!)
    })

    it('goes on with the same bytes after a checkpoint', async () => {
      const folder = newFolder()
      await stateAfter(setup, 3, folder)
      assert.deepEqual(await trained(setup, { folder }), await trained(setup))
    })

    it('has the same losses in micro-batches', async (t) => {
      compare(t, await trained(changed({ accumulate: 2 })), await trained(setup), 1e-5)
    })

    it('has the same losses where what comes out of its first layers is kept', async (t) => {
      const frozen = frozenWeights(config, ['transformer.w*', 'transformer.h.0.*'])
      compare(t, await trained(changed({ frozen, fixed: 1 })), await trained(changed({ frozen })), 1e-5)
    })
  })
}

describe('a checkpoint', () => {
  it('of a training with targets of another form, or of another use of them, is refused', async () => {
    const folder = newFolder()
    await stateAfter(await setupOf(topk), 1, folder)
    for (const [form, others] of [
      [topk, 'renormalise'],
      [{ ...topk, k: 3 }, 'bucket'],
      [{ ...topk, temperatures: [2] }, 'bucket'],
      [sampled, 'bucket'],
      [hidden, 'bucket'],
    ] as const) {
      await assert.rejects(trained(await setupOf(form, {}, others), { folder }), { code: 'CHECKPOINT_FOREIGN' })
    }
  })
})

/** An epoch is 13 rows, or three steps and a bit. */
const long = { rate: { ...options.rate, steps: 9 }, temperature: [1, 4, 2] }

describe('the likeliest tokens', () => {
  it('come with what the others have at the temperature of the step', async () => {
    const { inputs, options: changing } = await setupOf(topk, long)
    const fed = (temperature: Schedule, step: number) => {
      const [part] = new StepFeeds({ ...inputs, engine }, { ...changing, temperature }).losses(step, undefined)
      return [part!['temperature'], part!['teacherTail']]
    }
    for (const [step, temperature] of [1, 1, 1, 1, 4, 4, 4, 2, 2].entries()) {
      assert.deepEqual(fed(long.temperature, step), fed(temperature, step))
    }
    assert.notDeepEqual(fed(1, 0)[1], fed(4, 0)[1])
  })

  it('teach, where they are all tokens, as hidden states do, at a temperature that changes from epoch to epoch', async (t) => {
    const [found, whole] = [await trained(await setupOf(all, long)), await trained(await setupOf(hidden, long))]
    compare(t, found, whole, 2e-3)
    const still = await trained(await setupOf(hidden, { ...long, temperature: 1 }))
    assert.throws(() => compare(t, found, still, 2e-2))
  })

  it('teach, where they are all tokens, as hidden states do, of a mixture of corpora', async (t) => {
    const run = async (form: Form): Promise<Trained> => {
      const setup = await setupOf(form, long)
      const train = stream(61, 13, 61)
      const mixed: Mixed[] = [{ name: 'some', weight: 1, train, targets: (await targetsOf(form, train)).targets }]
      return trained({ ...setup, inputs: { ...setup.inputs, mixed } })
    }
    compare(t, await run(all), await run(hidden), 2e-3)
  })
})

describe('a training that its targets cannot teach', () => {
  const refuses = (setup: Setup, code: string, message: RegExp) => async () => {
    const folder = newFolder()
    await assert.rejects(trained(setup, { folder }), { code, message })
    assert.ok(!existsSync(folder))
  }
  const at = (temperature: Schedule, steps = 9) => ({ temperature, rate: { ...options.rate, steps } })
  const falling = { from: 4, to: 1, shape: 'linear', by: 'step' } as const

  it('is refused before its first step: a temperature between those of the grid', async () => {
    await refuses(await setupOf(topk, at(falling)), 'TARGETS_TEMPERATURE', /`temperature` comes to 3\.625\./)()
  })

  it('is refused before its first step: a temperature of a later epoch', async () => {
    await refuses(await setupOf(topk, at([1, 2, 3])), 'TARGETS_TEMPERATURE', /`temperature` comes to 3\./)()
    await refuses(await setupOf(sampled, at([2, 1])), 'TARGETS_TEMPERATURE', /`temperature` comes to 1\./)()
  })

  it('is not refused for a temperature that it never comes to', async () => {
    assert.equal((await trained(await setupOf(topk, at([1, 2, 3], 6)))).points.at(-1)!.step, 6)
  })

  it('is refused before its first step: another loss beside forward KL', async () => {
    const { inputs, options } = await setupOf(sampled)
    const objective = { ...plainKl, weights: { 'forward-kl': 1, jsd: 0.5 } }
    const setup = { inputs: { ...inputs, teacher: { ...inputs.teacher!, objective } }, options }
    await refuses(setup, 'TARGETS_LOSS', /`loss` is `forward-kl \+ jsd`/)()
  })
})
