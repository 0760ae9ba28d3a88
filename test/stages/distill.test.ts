import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { encodeSplit, writeTokens } from '../../lib/data/tokens.ts'
import type { SplitName } from '../../lib/data/tokens.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { objectiveOf } from '../../lib/model/loss-params.ts'
import { divergences } from '../../lib/model/losses/divergences.ts'
import { initialise, saveModel } from '../../lib/model/weights.ts'
import { readCurves } from '../../lib/report/curves.ts'
import type { CurvePoint } from '../../lib/report/curves.ts'
import distill from '../../stages/distill.ts'
import teacherLogits from '../../stages/teacher-logits.ts'
import { textOf, writeWords } from '../model/words.ts'

const WORDS = 12
const folder = mkdtempSync(join(tmpdir(), 'distill-'))
after(() => rmSync(folder, { recursive: true }))
const at = (name: string): string => join(folder, name)

const small: GptConfig = {
  ...{ architecture: 'gpt2', vocabSize: WORDS + 1, context: 16, width: 16, layers: 1, heads: 2, inner: 32 },
  ...{ attention: ['global'], window: 16, epsilon: 1e-5, tied: true },
}
for (const [seed, name] of ['teacher', 'student'].entries()) {
  saveModel(at(name), { config: small, weights: initialise(small, seed) }, { eos: WORDS })
}
await writeWords(at('teacher'), WORDS)
const tokenizer = await writeWords(at('student'), WORDS)
const text = Array.from({ length: 9 }, (_, n) => textOf(Array.from({ length: 15 }, (__, k) => (5 * k + n) % WORDS)))
const split = (name: SplitName) => encodeSplit(tokenizer, text, { name, separator: 'eos' })
const { vocabSize, eos, digest: tokenizerDigest } = tokenizer
const splits = { train: split('train'), validation: split('validation'), test: split('test') }
writeTokens(at('tokens'), { vocabSize, eos, tokenizerDigest, splits })

type Module = typeof distill

/** A stage with its defaults. */
async function run(module: Module, options: object, from: object, out: object): Promise<void> {
  const properties = Object.entries(module.params.properties) as [string, { default?: unknown }][]
  const defaults = properties.flatMap(([name, schema]) =>
    schema.default === undefined ? [] : [[name, schema.default]],
  )
  const checkpoint = mkdtempSync(at('checkpoint-'))
  const context = {
    with: { ...(Object.fromEntries(defaults) as object), context: 16, ...options },
    ...{ in: from, out, checkpoint, signal: new AbortController().signal },
    ...{ log: () => undefined, progress: () => undefined },
    ...{ engine: { name: 'onnx-cpu', threads: 1 }, ranOn: () => undefined },
  }
  await module.run(context as never)
}

const from = { student: at('student'), tokens: at('tokens'), targets: at('targets') }
await run(teacherLogits, {}, { teacher: at('teacher'), tokens: at('tokens') }, { targets: at('targets') })

/** Corpora of three rows and of one. */
const mixed = { long: at('long'), short: at('short') }
const mixedTargets = { long: at('long-targets'), short: at('short-targets') }
for (const [name, rows] of [
  ['long', 3],
  ['short', 1],
] as const) {
  const train = encodeSplit(tokenizer, text.slice(0, rows), { name: 'train', separator: 'eos' })
  writeTokens(at(name), { vocabSize, eos, tokenizerDigest, splits: { ...splits, train } })
  await run(teacherLogits, {}, { teacher: at('teacher'), tokens: at(name) }, { targets: at(`${name}-targets`) })
}

/** What the teacher says of a corpus, in a form. */
async function made(form: object, corpus: string, name: string): Promise<string> {
  const targets = at(`${corpus}-${name}-targets`)
  await run(teacherLogits, form, { teacher: at('teacher'), tokens: at(corpus) }, { targets })
  return targets
}

const targetsOf = async (form: object, name: string) => ({ ...from, targets: await made(form, 'tokens', name) })

async function curvesOf(options: object, given: object = from): Promise<readonly CurvePoint[]> {
  const out = { student: mkdtempSync(at('out-')), curves: at('curves.jsonl') }
  await run(distill, { steps: 3, validateEvery: 1, ...options }, given, out)
  const curves = await readCurves(out.curves)
  assert.ok(curves.ok, curves.ok ? '' : curves.error.message)
  return curves.value
}

describe('stages/distill.ts', () => {
  it('holds the student against the teacher by KL(teacher ‖ student), times T², unless told otherwise', async () => {
    for (const { loss, ce, terms } of await curvesOf({})) {
      assert.deepEqual(Object.keys(terms!), ['forward-kl'])
      assert.ok(Math.abs(0.9 * 4 * terms!['forward-kl']! + 0.1 * ce! - loss) < 1e-5 * loss)
    }
    for (const { loss, ce, terms } of await curvesOf({ loss: 'jsd', squareTemperature: false })) {
      assert.deepEqual(Object.keys(terms!), ['jsd'])
      assert.ok(Math.abs(0.9 * terms!['jsd']! + 0.1 * ce! - loss) < 1e-5 * loss)
    }
  })

  it('takes a sum of all losses there are, in any order', async () => {
    const names = Object.keys(divergences)
    const weights = names.map((name, n) => [name, (n + 1) / 10] as const)
    const points = await curvesOf({ loss: Object.fromEntries(weights) })
    const turned = await curvesOf({ loss: Object.fromEntries([...weights].reverse()) })
    assert.equal(JSON.stringify(turned), JSON.stringify(points))
    for (const { loss, ce, terms } of points) {
      assert.deepEqual(Object.keys(terms!), names)
      const times = (name: string): number => (['mse-logits', 'argmax-ce'].includes(name) ? 1 : 4)
      const sum = weights.reduce((all, [name, weight]) => all + weight * times(name) * terms![name]!, 0)
      assert.ok(Math.abs(0.9 * sum + 0.1 * ce! - loss) < 1e-5 * loss)
    }
  })

  it('changes the mixtures by beta and skew', async () => {
    const first = async (options: object): Promise<unknown> => (await curvesOf(options))[0]!.terms
    assert.notDeepEqual(await first({ loss: 'jsd' }), await first({ loss: 'jsd', beta: 0.1 }))
    assert.notDeepEqual(await first({ loss: 'skew-kl' }), await first({ loss: 'skew-kl', skew: 0.5 }))
  })

  it('takes a teacher in place of its targets, not beside them, and somebody to learn from at all', async () => {
    const { targets, ...alone } = from
    const online = { ...alone, teacher: at('teacher') }
    const [live, cached] = [await curvesOf({}, online), await curvesOf({})]
    assert.deepEqual(
      live.map(({ step }) => step),
      [1, 2, 3],
    )
    live.forEach(({ loss }, n) => assert.ok(Math.abs(loss - cached[n]!.loss) < 1e-3 * loss))
    await assert.rejects(curvesOf({}, { ...online, targets }), { code: 'TEACHER_TWICE', message: /Keep one/ })
    await assert.rejects(curvesOf({}, alone), { code: 'TARGETS_NEEDED', message: /a `teacher` to run in each step/ })
    await assert.rejects(curvesOf({ context: 17 }, online), { code: 'CONTEXT_TOO_LONG' })
    const [{ terms }] = (await curvesOf({ alpha: 0 }, alone)) as [CurvePoint]
    assert.equal(terms, undefined)
  })

  it('makes the inside of the student like the inside of a teacher who runs', async () => {
    const { targets, ...alone } = from
    const online = { ...alone, teacher: at('teacher') }
    const one = [{ teacher: 1, student: 1 }]
    const options = { hiddenPairs: one, hiddenLoss: 'cosine', hiddenWeight: 2, attentionPairs: one }
    for (const { loss, ce, terms } of await curvesOf(options, online)) {
      assert.deepEqual(Object.keys(terms!), ['forward-kl', 'hidden-cosine', 'attention-kl'])
      const sum = 4 * terms!['forward-kl']! + 2 * terms!['hidden-cosine']! + terms!['attention-kl']!
      assert.ok(Math.abs(0.9 * sum + 0.1 * ce! - loss) < 1e-5 * loss)
    }
    const beyond = {
      hiddenPairs: [
        { teacher: 0, student: 0 },
        { teacher: 1, student: 2 },
      ],
    }
    const unknown = { code: 'LAYER_UNKNOWN', message: /`hiddenPairs` names layer 2 of the student, which has 1/ }
    await assert.rejects(curvesOf(beyond, online), unknown)
    const unused = {
      code: 'PAIRS_UNUSED',
      message: /`attentionPairs` looks inside .* a `teacher` in place of `targets`/,
    }
    for (const given of [{ ...alone, targets }, alone]) {
      await assert.rejects(curvesOf({ attentionPairs: one, alpha: 0 }, given), unused)
    }
  })

  it('mixes corpora, each at its weight, and from each what the teacher says of it', async () => {
    const given = { ...from, mixed, mixedTargets }
    const steps = async (mix: object, own: object = given): Promise<number[]> =>
      (await curvesOf({ steps: 0, epochs: 1, batch: 3, mix }, own)).map(({ step }) => step)
    assert.deepEqual(await steps({}, from), [1, 2, 3]) // nine rows
    assert.deepEqual(await steps({ long: 1, short: 0 }), [1, 2, 3, 4]) // twelve
    assert.deepEqual(await steps({ long: 1, short: { from: 3, to: 3, shape: 'linear', by: 'step' } }), [1, 2, 3, 4, 5])
    const alone = { ...from, targets: undefined }
    const online = { ...alone, mixed, teacher: at('teacher') }
    const [live, cached] = [
      await curvesOf({ mix: { long: 1, short: 1 } }, online),
      await curvesOf({ mix: { long: 1, short: 1 } }, given),
    ]
    live.forEach(({ loss }, n) => assert.ok(Math.abs(loss - cached[n]!.loss) < 1e-3 * loss))
    const [{ terms }] = (await curvesOf({ alpha: 0, mix: { long: 1, short: 1 } }, { ...alone, mixed })) as [CurvePoint]
    assert.equal(terms, undefined)
  })

  it('mixes what fits: the same names everywhere, one tokenizer, one teacher', async () => {
    const given = { ...from, mixed, mixedTargets }
    const mix = { long: 1, short: 1 }
    const refused = async (over: object, options: object, code: string, message: RegExp): Promise<void> =>
      assert.rejects(curvesOf({ mix, ...options }, { ...given, ...over }), { code, message })
    await refused({}, { mix: { long: 1, shrot: 1 } }, 'MIX_UNKNOWN', /`mix` names "shrot".* Did you mean "short"/)
    await refused({}, { mix: { long: 1 } }, 'MIX_ABSENT', /`mix` lacks "short".* how many of its rows/)
    const { short, ...long } = mixedTargets
    await refused({ mixedTargets: long }, {}, 'MIX_ABSENT', /`mixedTargets` lacks "short"/)
    await refused({ mixedTargets: { ...long, short, other: short } }, {}, 'MIX_UNKNOWN', /names "other"/)
    await refused({ targets: undefined }, { alpha: 0 }, 'TARGETS_UNUSED', /Give both or neither/)
    await refused({ mixedTargets: { long: short, short } }, {}, 'TARGETS_MISMATCH', /token stream/)
    await run(teacherLogits, {}, { teacher: at('student'), tokens: at('short') }, { targets: at('other-targets') })
    await refused(
      { mixedTargets: { ...long, short: at('other-targets') } },
      {},
      'TARGETS_MISMATCH',
      /teacher: expected/,
    )
    writeTokens(at('foreign'), { vocabSize, eos, tokenizerDigest: 'foreign', splits })
    await refused({ mixed: { ...mixed, short: at('foreign') } }, {}, 'VOCABULARY_DIFFERS', /"short".*another tokenizer/)
  })

  it('lets a token see its document alone, and takes targets whose teacher saw as much', async () => {
    const across = { context: 12 } // documents are of 16 tokens
    const apart = { ...across, attend: 'document' }
    const [seen, own] = [await targetsOf(across, 'across'), await targetsOf(apart, 'apart')]
    const online = { ...own, targets: undefined, teacher: at('teacher') }
    const [live, cached] = [await curvesOf(apart, online), await curvesOf(apart, own)]
    live.forEach(({ loss }, n) => assert.ok(Math.abs(loss - cached[n]!.loss) < 1e-3 * loss))
    assert.notDeepEqual(cached, await curvesOf(across, seen))
    const refused = (message: RegExp) => ({ code: 'TARGETS_MISMATCH', message })
    await assert.rejects(curvesOf(apart, seen), refused(/attend: expected document, found row/))
    await assert.rejects(curvesOf(across, own), refused(/attend: expected row, found document/))
    const given = { ...own, mixed: { long: at('long') } }
    const mix = { ...apart, mix: { long: 1 } }
    const long = { long: await made(across, 'long', 'across') }
    await assert.rejects(
      curvesOf(mix, { ...given, mixedTargets: long }),
      refused(/of the corpus "long" .*attend: expected document, found row/),
    )
    await curvesOf(mix, { ...given, mixedTargets: { long: await made(apart, 'long', 'apart') } })
  })

  it('learns from targets of any form by forward KL, at the temperatures that they serve', async () => {
    const of = await targetsOf({ form: 'topk', k: 3, temperatures: [1, 4] }, 'topk')
    for (const others of ['bucket', 'renormalise']) {
      const points = await curvesOf({ temperature: [4, 1], epochs: 2, steps: 0, others }, of)
      for (const { terms } of points) assert.deepEqual(Object.keys(terms!), ['forward-kl'])
    }
    const [bucket, alone] = [
      await curvesOf({ temperature: 1 }, of),
      await curvesOf({ temperature: 1, others: 'renormalise' }, of),
    ]
    assert.notDeepEqual(bucket, alone)
    const unfit = { code: 'TARGETS_TEMPERATURE', message: /the temperatures 1, 4 alone; `temperature` comes to 2\./ }
    await assert.rejects(curvesOf({ temperature: [4, 2], epochs: 2, steps: 0 }, of), unfit)
    const sum = { 'forward-kl': 1, 'reverse-kl': 0.5 }
    const other = { code: 'TARGETS_LOSS', message: /form `topk`.*`loss` is `forward-kl \+ reverse-kl`/ }
    await assert.rejects(curvesOf({ temperature: 1, loss: sum }, of), other)
  })

  it('mixes corpora whose targets are of one form, with the same parameters', async () => {
    const mix = { long: 1, short: 1 }
    const of = async (form: object, name: string) => ({
      ...(await targetsOf(form, name)),
      ...{ mixed, mixedTargets: { long: await made(form, 'long', name), short: await made(form, 'short', name) } },
    })
    const draws = await of({ form: 'sampled', samples: 4 }, 'draws')
    assert.deepEqual(Object.keys((await curvesOf({ mix }, draws))[0]!.terms!), ['forward-kl'])
    for (const [form, message] of [
      [{ form: 'sampled', samples: 5 }, /targets of the corpus "short" .*: samples: expected 4, found 5\./],
      [{}, /targets of the corpus "short" .*: form: expected sampled, found hidden\./],
    ] as const) {
      const short = await made(form, 'short', 'unlike')
      const given = { ...draws, mixedTargets: { ...draws.mixedTargets, short } }
      await assert.rejects(curvesOf({ mix }, given), { code: 'TARGETS_MISMATCH', message })
    }
  })

  it('has weights for all losses there are, and a name is a weight of 1', () => {
    const { loss } = distill.params.properties as unknown as {
      loss: { anyOf: [{ enum: string[] }, { properties: object }] }
    }
    const [one, sum] = loss.anyOf
    assert.deepEqual(Object.keys(sum.properties), Object.keys(divergences))
    assert.deepEqual(one.enum, Object.keys(divergences))
    for (const name of Object.keys(divergences)) {
      const { weights } = objectiveOf({ loss: name, beta: 0.5, skew: 0.1, squareTemperature: true })
      assert.deepEqual(weights, { [name]: 1 })
    }
  })
})
