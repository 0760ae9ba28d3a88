import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Form, SampledForm, TopkForm } from '../../lib/data/targets/form.ts'
import type { TensorValue } from '../../lib/engine/index.ts'
import { grad, graph, input, state } from '../../lib/graph/index.ts'
import { measureForm } from '../../lib/model/bias.ts'
import type { Deviation } from '../../lib/model/bias.ts'
import { Rows } from '../../lib/model/batches.ts'
import { draw } from '../../lib/model/condense-sampled.ts'
import { greatest } from '../../lib/model/condense-topk.ts'
import { distillLoss } from '../../lib/model/losses.ts'
import { teacherFeeds, teacherHeadName, teacherInputs } from '../../lib/model/taught.ts'
import type { Others } from '../../lib/model/taught.ts'
import { readTargets, writeTargets } from '../../lib/model/teacher.ts'
import { initialise } from '../../lib/model/weights.ts'
import { Random } from '../../lib/util/random.ts'
import { assertClose, asStored, engine, plainKl, scalar, scratch, stream, tinyNeo } from './rig.ts'

const temporary = scratch()
const { signal } = new AbortController()

/** Three tokens more than the text has. */
const config = tinyNeo({ width: 12, heads: 3, inner: 24, vocabSize: 16 })
const V = 13
const weights = new Map(
  [...initialise(config, 2)].map(([name, { shape, data }]) => {
    return [name, { shape, data: shape.length === 1 ? data : data.map((value) => 15 * value) }] as const
  }),
)
const teacher = asStored({ config, weight: (name) => copy(weights.get(name)!), digest: 'teacher' })
const split = stream(95, V)
const rows = new Rows(split, 12)

const hidden: Form = { kind: 'hidden', dtype: 'F16', width: 12 }
const topk: TopkForm = { kind: 'topk', vocabulary: V, k: 3, temperatures: [1, 2, 4] }
const sampled: SampledForm = { kind: 'sampled', vocabulary: V, samples: 5, temperature: 2, seed: 3 }

describe('sparse targets', () => {
  it('are the likeliest tokens, their logits and what the others have at each temperature', async (t) => {
    const { ids, logits, tails } = await columnsOf(topk)
    const whole = await logitsOf()
    whole.forEach((row, n) => {
      const order = [...row.keys()].sort((a, b) => row[b]! - row[a]!).slice(0, 3)
      assert.deepEqual(Array.from(ids!.subarray(3 * n, 3 * n + 3)), order)
    })
    const relative = whole.flatMap((row, n) => range(3).map((i) => row[ids![3 * n + i]!]! - row[ids![3 * n]!]!))
    assertClose(t, 'logits', logits!, relative, 2e-3)
    const rest = whole.flatMap((row, n) => {
      const named = ids!.subarray(3 * n, 3 * n + 3)
      return topk.temperatures.map((T) => softmax(row, T).reduce((sum, p, id) => sum + (named.includes(id) ? 0 : p), 0))
    })
    assertClose(t, 'tails', tails!, rest, 2e-3) // the hidden states that are compared with are halves
    t.diagnostic(`tails from ${Math.min(...rest)} to ${Math.max(...rest)}`)
    assert.ok(Math.min(...rest) < 0.2 && Math.max(...rest) > 0.7)
  })

  it('are draws of the softened distribution, none of a token that only pads the head, and its entropy', async (t) => {
    const samples = 20_000
    const { ids, entropy } = await columnsOf({ ...sampled, samples })
    const whole = await logitsOf()
    const [expected, found] = [whole.map((row) => softmax(row, 2)), whole.map(() => Array<number>(V).fill(0))]
    ids!.forEach((id, i) => (found[Math.floor(i / samples)]![id]! += 1 / samples))
    const worst = Math.max(...expected.flat().map((p, i) => deviation(found.flat()[i]!, p, samples)))
    t.diagnostic(`farthest of ${94 * V} shares: ${worst.toFixed(2)} standard errors`)
    assert.ok(worst < 5)
    const exact = expected.map((probs) => -probs.reduce((sum, p) => sum + (p === 0 ? 0 : p * Math.log(p)), 0))
    assertClose(t, 'entropy', entropy!, exact, 2e-3)
  })

  for (const form of [topk, sampled, { ...hidden, dtype: 'I8' } as const]) {
    it(`of the form ${form.kind} are the same file in whatever batch`, async () => {
      const expected = readFileSync(join(await written(form, 3), 'targets.bin'))
      for (const batch of [1, 8]) {
        assert.deepEqual(readFileSync(join(await written(form, batch), 'targets.bin')), expected)
      }
    })
  }

  it('are drawn anew at each position', async () => {
    const zeros = ({ shape, data }: TensorValue): TensorValue => ({ shape, data: new Float32Array(data.length) })
    const even = asStored({ ...teacher, weight: (name) => zeros(teacher.weight(name)) })
    const folder = await written(sampled, 3, even)
    const { targets } = readTargets(folder, 'bucket')
    const ids = targets.columns(0, 94)['ids']!
    targets.close()
    const drawn = range(94).map((n) => ids.subarray(5 * n, 5 * n + 5).join())
    assert.ok(new Set(drawn).size > 90, `${new Set(drawn).size} of 94`)
  })

  it('drawn with another seed are others', async () => {
    const { ids } = await columnsOf(sampled)
    assert.notDeepEqual((await columnsOf({ ...sampled, seed: 4 }))['ids'], ids)
  })

  it('of a teacher whose logits are no numbers are refused', async () => {
    const broken = asStored({
      ...teacher,
      weight: (name) => {
        const value = teacher.weight(name)
        if (name === 'transformer.wte.weight') value.data[3 * 12] = NaN
        return value
      },
    })
    for (const form of [topk, sampled]) {
      const options = { context: 12, batch: 3, tokenizerDigest: 'tokenizer', form }
      const hooks = { signal, onRows: () => undefined }
      const writing = writeTargets(join(temporary, 'broken'), engine, broken, split, options, hooks)
      await assert.rejects(writing, { code: 'SCORE_NOT_FINITE' })
    }
  })
})

describe('a student', () => {
  for (const temperature of [1, 2, 4]) {
    for (const others of ['bucket', 'renormalise'] as const) {
      it(`learns from all tokens as from hidden states: ${others}, T = ${temperature}`, async (t) => {
        const whole = await learn(hidden, temperature, others)
        const found = await learn({ ...topk, k: V }, temperature, others)
        for (const name of ['loss', 'forward-kl', 'gradient'])
          assertClose(t, name, found[name]!.data, whole[name]!.data, 2e-3)
      })
    }
  }

  it('is told the tail at its own temperature', async () => {
    const { shape, targets } = readTargets(await written(topk, 3), 'bucket')
    const columns = rows.targets([2], targets)
    targets.close()
    topk.temperatures.forEach((temperature, at) => {
      const { teacherTail } = teacherFeeds(shape, columns, temperature)
      const expected = columns['tails']!.data.filter((_, i) => i % 3 === at)
      assert.deepEqual(teacherTail!.data, expected)
    })
    assert.throws(() => teacherFeeds(shape, columns, 3), /Internal error: column -1 of 3/)
  })

  it('learns from many draws as from hidden states, and from few not', async (t) => {
    const whole = await learn(hidden, 2)
    const found = await learn({ ...sampled, samples: 20_000 }, 2)
    for (const name of ['loss', 'forward-kl', 'gradient'])
      assertClose(t, name, found[name]!.data, whole[name]!.data, 2e-2)
    const few = (await learn(sampled, 2))['gradient']!.data
    assert.ok(distance(few, whole['gradient']!.data) > 10 * distance(found['gradient']!.data, whole['gradient']!.data))
  })
})

describe('the measured deviation', () => {
  const measured = async (form: Form) => {
    const { tokens, deviations } = await measureForm(engine, teacher, split, { form, context: 12, signal })
    assert.equal(tokens, 94)
    return deviations
  }
  const of = (deviations: readonly Deviation[], use: string, temperature: number) =>
    deviations.find((one) => one.use === use && one.temperature === temperature)!

  it('of hidden states is that of their rounding', async (t) => {
    const [halves, bytes] = [await measured(hidden), await measured({ ...hidden, dtype: 'I8' })]
    assert.deepEqual(
      halves.map(({ temperature }) => temperature),
      [1, 2, 4],
    )
    for (const { angle, normRatio } of halves) {
      assert.ok(angle > 0 && angle < 0.1 && Math.abs(normRatio - 1) < 1e-3, `${angle}, ${normRatio}`)
    }
    t.diagnostic(bytes.map(({ angle }) => angle.toFixed(3)).join())
    halves.forEach(({ angle }, i) => assert.ok(bytes[i]!.angle > 3 * angle && bytes[i]!.angle < 2))
  })

  it('of top-k is larger where the others are left out, and smaller the more are named', async (t) => {
    const [few, more] = [await measured(topk), await measured({ ...topk, k: 9 })]
    t.diagnostic(JSON.stringify(few))
    for (const T of topk.temperatures) {
      assert.ok(of(few, 'renormalise', T).angle > of(few, 'bucket', T).angle)
      for (const use of ['bucket', 'renormalise']) assert.ok(of(more, use, T).angle < of(few, use, T).angle)
    }
    assert.equal(few.length, 6)
  })

  it('of draws shrinks to about an eighth with 64 times as many: it is chance, not bias', async (t) => {
    const [once, often] = await measured(sampled)
    t.diagnostic(`${once!.angle} and ${often!.angle} degrees`)
    assert.deepEqual([once!.use, often!.use], ['5 draws', '320 draws'])
    const ratio = Math.tan((once!.angle * Math.PI) / 180) / Math.tan((often!.angle * Math.PI) / 180)
    assert.ok(ratio > 5 && ratio < 13, `${ratio}`)
  })
})

describe('the choice of tokens', () => {
  it('takes the greatest, the lower id of equal ones', () => {
    const random = new Random(1, 'values')
    for (const size of [1, 2, 7, 100, 1000]) {
      const values = Float32Array.from({ length: size }, () => random.below(40))
      const sorted = [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b)
      for (const k of [1, 2, 5, size]) {
        if (k <= size) assert.deepEqual(Array.from(greatest(values, k)), sorted.slice(0, k))
      }
    }
  })

  it('draws nothing that has no probability, at the ends least of all', () => {
    const weights = Float32Array.of(0, 0.1, 0, 0.7, 0)
    for (const [at, id] of [
      [0, 3],
      [1 - 2 ** -53, 1],
      [0.9, 1],
      [0.8, 3],
    ] as const) {
      assert.deepEqual(Array.from(draw(weights, 3, () => at)), [id, id, id], `${at}`)
    }
  })
})

/** The student's loss on some rows and the gradient of its head: both are made up here. */
async function learn(form: Form, temperature: number, others: Others = 'bucket') {
  const read = readTargets(await written(form, 3), others)
  const indices = [0, 7, 3]
  const { labels } = rows.feeds(indices)
  const N = labels.data.length
  const random = new Random(1, 'student')
  const normal = (shape: readonly [number, number]): TensorValue => ({
    shape,
    data: Float32Array.from({ length: shape[0] * shape[1] }, () => random.normal()),
  })
  const head = state('head', [V, 4])
  const student = { hidden: input('hidden', [N, 4]), head, labels: input('labels', [N], 'int32') }
  const common = { temperature: input('temperature', []), alpha: input('alpha', []), objective: plainKl }
  const { loss, terms } = distillLoss({ ...student, teacher: { ...common, ...teacherInputs(read.shape, N) } }, 16)
  const program = await engine.compile(graph({ outputs: { loss, ...terms, gradient: grad(loss, [head])[0]! } }))
  const memory = engine.memory()
  const fed = { labels, hidden: normal([N, 4]), temperature: scalar(temperature), alpha: scalar(0.9) }
  memory.write('head', normal([V, 4]))
  if ('head' in read) memory.write(teacherHeadName, read.head)
  const taught = teacherFeeds(read.shape, rows.targets(indices, read.targets), temperature)
  const outputs = await program.run({ ...fed, ...taught }, memory)
  read.targets.close()
  await program.dispose()
  memory.dispose()
  return outputs
}

async function written(form: Form, batch: number, by = teacher): Promise<string> {
  const folder = mkdtempSync(join(temporary, 'targets-'))
  const options = { context: 12, batch, tokenizerDigest: 'tokenizer', form }
  await writeTargets(folder, engine, by, split, options, { signal, onRows: () => undefined })
  return folder
}

async function columnsOf(form: Form): Promise<Readonly<Record<string, Float32Array | Int32Array>>> {
  const { targets } = readTargets(await written(form, 3), 'bucket')
  const columns = targets.columns(0, 94)
  targets.close()
  return columns
}

/** By the hidden form: (94, V). */
async function logitsOf(): Promise<number[][]> {
  const states = (await columnsOf(hidden))['hidden']!
  const { data: head } = teacher.weight('transformer.wte.weight')
  return range(94).map((n) =>
    range(V).map((id) => range(12).reduce((sum, c) => sum + states[n * 12 + c]! * head[id * 12 + c]!, 0)),
  )
}

/** In standard errors of a share of so many draws; a share of less than one draw is not told from none. */
function deviation(found: number, expected: number, draws: number): number {
  return Math.abs(found - expected) / Math.sqrt(Math.max(expected, 1 / draws) / draws)
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.hypot(...Array.from(a, (value, i) => value - b[i]!))
}

function softmax(row: readonly number[], T: number): number[] {
  const largest = Math.max(...row)
  const terms = row.map((x) => Math.exp((x - largest) / T))
  const total = terms.reduce((sum, term) => sum + term, 0)
  return terms.map((term) => term / total)
}

function copy({ shape, data }: TensorValue): TensorValue {
  return { shape, data: data.slice() }
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i)
}
