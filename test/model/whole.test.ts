import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Engine, Program, TensorValue } from '../../lib/engine/index.ts'
import { collect } from '../../lib/util/collect.ts'
import type { HiddenPass } from '../../lib/model/hidden-pass.ts'
import { openLayerwise } from '../../lib/model/layerwise.ts'
import { mergeTargets, readTargets, writeBatches, writeTargets } from '../../lib/model/teacher.ts'
import { toHalf } from '../../lib/util/half.ts'
import { initialise, parameterCount } from '../../lib/model/weights.ts'
import { openPass, openWhole } from '../../lib/model/whole.ts'
import { B, T, models, quiet, stored } from './passes.ts'
import { assertClose, engine, scratch, stream } from './rig.ts'

const config = models.gpt_neo
const weights = initialise(config, 3, { deviation: 0.2 })
const shape = { rows: B, length: T }
/** 8,192 tokens are some 409 times as many as were asked for. */
const rows = 409 * B
const whole = (at: (i: number) => number): TensorValue => ({
  shape: [rows, T],
  data: Int32Array.from({ length: rows * T }, (_, i) => at(i)),
})
const feeds = [3, 5, 7].map((by) => ({ tokens: whole((i) => (i * by) % 30) }))

/** The engine, with some of it done otherwise. */
const otherwise = (changes: Partial<Engine>): Engine =>
  Object.create(engine, Object.getOwnPropertyDescriptors(changes)) as Engine

/** The same engine, which tells of its programs what they do. */
const telling = (tell: (what: string) => void, fails = 0): Engine =>
  otherwise({
    compile: async (graph) => {
      const program = await engine.compile(graph)
      let runs = 0
      const run: Program['run'] = async (given, memory) => {
        const count = ++runs
        tell(`run ${count}`)
        if (count === fails) throw new Error(`run ${count} fails`)
        return program.run(given, memory)
      }
      return { run, dispose: () => program.dispose() }
    },
  })

const closing = async (pass: HiddenPass, use: (pass: HiddenPass) => Promise<void>): Promise<void> => {
  try {
    await use(pass)
  } finally {
    await pass.dispose()
  }
}

describe('a model held as a whole', () => {
  for (const [attend, given] of [
    ['row', feeds],
    ['document', feeds.map((given) => ({ ...given, documents: whole((i) => Math.floor((2 * i) / T)) }))],
  ] as const) {
    it(`gives what it gives layer by layer: ${attend}`, async (t) => {
      const found: Float32Array[][] = []
      for (const [open, least] of [
        [openWhole, B],
        [openLayerwise, rows],
      ] as const) {
        await closing(await open(engine, stored(config, weights), { length: T, rows: least, attend }), async (pass) => {
          assert.equal(pass.rows, rows)
          found.push((await collect(pass.run(given, quiet))).map(({ data }) => data as Float32Array))
        })
      }
      const [mine, layerwise] = found as [Float32Array[], Float32Array[]]
      assert.deepEqual([mine.length, layerwise.length], [3, 3])
      for (const [i, values] of mine.entries()) assertClose(t, `batch ${i}`, values, layerwise[i]!, 1e-6)
    })
  }

  it('writes the same targets of states that come as halves', async () => {
    const folder = scratch()
    const form = { kind: 'hidden', dtype: 'F16', width: config.width } as const
    const options = { context: T, batch: B, tokenizerDigest: 'tokenizer', form }
    const write = async (name: string, own: Engine): Promise<Buffer> => {
      const hooks = { signal: quiet.signal, onRows: () => undefined }
      await writeTargets(join(folder, name), own, stored(config, weights), stream(95, 30), options, hooks)
      return readFileSync(join(folder, name, 'targets.bin'))
    }
    const room = (): number => 1e12
    let inHalves = 0
    const compileToHalves: Engine['compileToHalves'] = async (graph) => {
      const program = await engine.compile(graph)
      return {
        dispose: () => program.dispose(),
        run: async (given, memory) => {
          inHalves++
          const { x } = await program.run(given, memory)
          return { x: { shape: x!.shape, data: toHalf(x!.data as Float32Array) } }
        },
      }
    }
    assert.deepEqual(
      await write('halves', otherwise({ room, compileToHalves })),
      await write('floats', otherwise({ room })),
    )
    assert.equal(inHalves, 1)
  })

  it('reads each weight once, and computes a batch while the one before is taken', async () => {
    const seen: string[] = []
    const model = stored(config, weights, (name) => void seen.push(name))
    await closing(
      await openWhole(
        telling((what) => void seen.push(what)),
        model,
        shape,
      ),
      async (pass) => {
        assert.deepEqual(seen.splice(0).sort(), [...weights.keys()].sort())
        const hooks = { ...quiet, onBatch: (done: number, all: number) => void seen.push(`${done} of ${all}`) }
        for await (const { shape: found } of pass.run(feeds, hooks)) seen.push(`taken ${found.join()}`)
        for await (const { data } of pass.run(feeds.slice(0, 1), hooks)) seen.push(`taken ${data.length}`)
      },
    )
    const taken = `taken ${rows},${T},${config.width}`
    assert.deepEqual(seen, [
      ...['run 1', 'run 2', '1 of 3', taken, 'run 3', '2 of 3', taken, '3 of 3', taken],
      ...['run 4', '1 of 1', `taken ${rows * T * config.width}`],
    ])
  })

  it('ends where a batch fails, who takes them fails, or it is told to', async () => {
    const model = stored(config, weights)
    await closing(
      await openWhole(
        telling(() => undefined, 2),
        model,
        shape,
      ),
      async (pass) => {
        await assert.rejects(collect(pass.run(feeds, quiet)), /run 2 fails/)
      },
    )
    await closing(
      await openWhole(
        telling(() => undefined, 2),
        model,
        shape,
      ),
      async (pass) => {
        const take = async (): Promise<void> => {
          for await (const { data } of pass.run(feeds, quiet)) throw new Error(`the disk is full: ${data.length}`)
        }
        await assert.rejects(take, /the disk is full/)
      },
    )
    const abort = new AbortController()
    await closing(await openWhole(engine, model, shape), async (pass) => {
      const seen: number[] = []
      const onBatch = (done: number): void => {
        seen.push(done)
        abort.abort()
      }
      await assert.rejects(collect(pass.run(feeds, { signal: abort.signal, onBatch })), { name: 'AbortError' })
      assert.deepEqual(seen, [1])
    })
  })

  it('is so where the engine has the room, and layer by layer elsewhere', async () => {
    const need = 6 * parameterCount(config) + 2 ** 32
    for (const [room, isWhole] of [
      [need, true],
      [need - 1, false],
      [undefined, false],
    ] as const) {
      const seen: string[] = []
      const model = stored(config, weights, (name) => void seen.push(name))
      const roomy = room === undefined ? engine : otherwise({ room: () => room })
      await closing(await openPass(roomy, model, shape), () => Promise.resolve())
      assert.equal(seen.length > 0, isWhole, `${room} bytes`)
    }
  })

  it('writes the same targets in one go and in parts, whose last batches have rows of other parts behind them', async (t) => {
    const folder = scratch()
    const split = stream(95, 13) // seven rows of 12 and one of 10
    const model = stored(config, weights)
    const form = { kind: 'hidden', dtype: 'F16', width: config.width } as const
    const options = { context: 12, batch: 3, tokenizerDigest: 'none', form }
    const hooks = { signal: quiet.signal, onRows: () => undefined }
    const roomy = otherwise({ room: () => 2 ** 40 })
    await writeTargets(join(folder, 'one'), roomy, model, split, options, hooks)
    const ranges = [0, 1, 2].map((from) => ({ from, to: from + 1 }))
    const part = ({ from }: { readonly from: number }): string => join(folder, `part-${from}`)
    for (const range of ranges) await writeBatches(part(range), roomy, model, split, { ...options, range }, hooks)
    mergeTargets(join(folder, 'merged'), model, split, options, ranges.map(part))
    await writeTargets(join(folder, 'layerwise'), engine, model, split, options, hooks)
    const [one, merged] = ['one', 'merged'].map((name) => readFileSync(join(folder, name, 'targets.bin')))
    assert.deepEqual(one, merged)
    const hidden = ['one', 'layerwise'].map((name) => {
      const { targets } = readTargets(join(folder, name), 'bucket')
      const columns = targets.columns(0, 94)
      targets.close()
      return columns['hidden'] as Float32Array
    })
    assertClose(t, 'hidden states', hidden[0]!, hidden[1]!, 1e-3)
  })
})
