import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fixedLayers, frozenWeights } from '../../lib/model/freeze.ts'
import { momentNames } from '../../lib/model/optimizer.ts'
import type { Trained } from '../../lib/model/train.ts'
import { trainOptions } from '../../lib/model/train-params.ts'
import type { TrainParams } from '../../lib/model/train-params.ts'
import { initialise, weightShapes } from '../../lib/model/weights.ts'
import { assertClose, tiny, tinyNeo } from './rig.ts'
import { newFolder, options, stateAfter, taught, text, trained } from './training.ts'
import type { Setup } from './training.ts'

/** No key has a bias here: its gradient would be rounding alone, which AdamW blows up. */
const config = tinyNeo({ layers: 3, attention: ['global', 'local', 'global'] })
const names = [...weightShapes(config).keys()]
const start = initialise(config, 1)
const embeddings = ['transformer.wte.weight', 'transformer.wpe.weight']
const [low, wide] = [
  ['transformer.w*', 'transformer.h.0.*', 'transformer.h.1.*'],
  ['*.wte.*', '*.mlp.*', '*.bias'],
]
const setup = (patterns: readonly string[], over: Partial<Setup['options']> = {}): Setup => ({
  inputs: { ...taught.inputs, config, weights: start },
  options: { ...options, clip: 0.05, frozen: frozenWeights(config, patterns), ...over },
})

describe('patterns of names', () => {
  it('name one weight, or all that have anything in place of a *', () => {
    assert.deepEqual(frozenWeights(config, embeddings), embeddings)
    assert.deepEqual(frozenWeights(config, ['transformer.w*']), embeddings)
    assert.deepEqual(
      frozenWeights(config, ['transformer.h.0.*', 'transformer.h.0.ln_1.bias']),
      names.filter((name) => name.startsWith('transformer.h.0.')),
    )
    assert.deepEqual(
      frozenWeights(config, ['*.bias']),
      names.filter((name) => name.endsWith('.bias')),
    )
    assert.deepEqual(frozenWeights(config, []), [])
    const many = tiny({ layers: 12, attention: Array.from({ length: 12 }, () => 'global' as const) })
    assert.equal(frozenWeights(many, ['transformer.h.1.*']).length, 12) // not those of layers 10 and 11
    assert.throws(() => frozenWeights(config, ['transformer.h.0.ln_1.bia.']), { code: 'FREEZE_UNKNOWN' })
  })

  for (const [pattern, meant] of [
    ['transformer.wte', 'transformer.wte.*'],
    ['transformer.h.1.ln_1.weigth', 'transformer.h.1.ln_1.weight'],
    ['transfomer.h.0.*', 'transformer.h.0.*'],
    ['nothing', 'transformer.h.0.ln_1.weight'],
  ] as const) {
    it(`must name some: "${pattern}" does not`, () => {
      const message = new RegExp(`"${pattern.replace('*', '\\*')}".*"${meant.replace('*', '\\*')}"[?.]$`)
      assert.throws(() => frozenWeights(config, [pattern]), { code: 'FREEZE_UNKNOWN', message })
    })
  }

  it('leave something to learn', () => {
    assert.throws(() => frozenWeights(config, ['*']), { code: 'FREEZE_ALL' })
  })
})

describe('frozen weights', () => {
  for (const [what, patterns] of Object.entries({ low, wide })) {
    for (const accumulate of [1, 2]) {
      it(`keep every bit, have no moments, and leave no part of the norm: ${what}, ${accumulate}`, async (t) => {
        const own = setup(patterns, { accumulate })
        const [whole, state] = [await stateAfter(setup([], { accumulate }), 1), await stateAfter(own, 1)]
        const last = await stateAfter(own, 5)
        const frozen = new Set(own.options.frozen)
        for (const name of names) {
          assert.equal(
            Buffer.compare(bytesOf(last.get(name)!), bytesOf(start.get(name)!)) === 0,
            frozen.has(name),
            name,
          )
          for (const beside of [...momentNames(name), `accumulated/${name}`]) {
            assert.equal(last.has(beside), !frozen.has(name) && whole.has(beside), beside)
          }
        }
        // clipped to 0.05 is the norm of what learns alone
        const moments = names.filter((name) => !frozen.has(name)).map((name) => state.get(momentNames(name)[0])!)
        assertClose(
          t,
          'norm',
          [Math.hypot(...moments.flatMap(({ data }) => Array.from(data, (m) => m / 0.1)))],
          [0.05],
          1e-4,
        )
      })
    }
  }

  it('get what the others learn from right: their gradients are as if nothing were frozen', async (t) => {
    const free = { clip: 1000 }
    const [whole, state] = [await stateAfter(setup([], free), 1), await stateAfter(setup(wide, free), 1)]
    for (const name of names.flatMap(momentNames)) {
      if (state.has(name)) assertClose(t, name, state.get(name)!.data, whole.get(name)!.data, 1e-5)
    }
  })
})

describe('the first layers, none of which learns', () => {
  it('are those below the first weight that does', () => {
    const fixed = (...patterns: string[]): number => fixedLayers(config, frozenWeights(config, patterns))
    assert.equal(fixed(...low), 2)
    assert.equal(fixed('transformer.w*', 'transformer.h.*'), 3)
    assert.equal(fixed('transformer.w*', 'transformer.h.0.*', 'transformer.h.2.*'), 1)
    assert.equal(fixed('transformer.w*', 'transformer.h.0.*', 'transformer.h.1.mlp*'), 1)
    assert.equal(fixed('transformer.wte.weight', 'transformer.h.0.*'), 0)
    assert.equal(fixed('transformer.h.0.*'), 0)
    assert.equal(fixed('transformer.w*'), 0)
    const untied = tinyNeo({ tied: false })
    assert.equal(fixedLayers(untied, frozenWeights(untied, ['transformer.w*', 'transformer.h.0.*'])), 1)
  })

  it('are run once where rows are read again', () => {
    const course = { batch: 4, steps: 0, epochs: 1, rate: 1, warmup: 0, decay: 'constant', decayShare: 0 }
    const params = { ...course, freeze: low, dropout: 0 }
    const fixed = (over: Partial<TrainParams>, inside = false): unknown =>
      trainOptions(
        { ...params, ...over } as TrainParams,
        { config, rowsIn: (epochs) => epochs * 8, inside },
        { alpha: 0, temperature: 1 },
      ).fixed
    assert.deepEqual([fixed({}), fixed({ epochs: 1.01 }), fixed({ steps: 2 }), fixed({ steps: 3 })], [0, 2, 0, 2])
    assert.equal(fixed({ epochs: 2, freeze: [] }), 0)
    assert.equal(fixed({ epochs: 2 }, true), 0) // somebody looks into them
    assert.equal(fixed({ epochs: 2, dropout: 0.1 }), 0) // each step drops others in them
  })

  it('are never left out where they drop', async () => {
    await assert.rejects(trained(setup(low, { fixed: 2, dropout: 0.1 })), /^Error: Internal error: dropout in layers/)
  })

  for (const accumulate of [1, 2]) {
    it(`kept, teach as if they were run in each step, to rounding: ${accumulate}`, async (t) => {
      const run = (fixed: number): Promise<Trained> => trained(setup(low, { accumulate, fixed, validateEvery: 1 }))
      const [kept, plain] = [await run(2), await run(0)]
      for (const key of ['loss', 'ce', 'gradNorm', 'validationLoss'] as const) {
        const of = ({ points }: Trained): number[] => points.map((point) => point[key]!)
        assertClose(t, key, of(kept), of(plain), 1e-5)
      }
      for (const name of names) assertClose(t, name, kept.weights.get(name)!.data, plain.weights.get(name)!.data, 1e-4)
    })
  }

  it('are kept in a file of one row a token, which a resumed training reads', async () => {
    const [own, folder] = [setup(low, { fixed: 2 }), newFolder()]
    const whole = await trained(own)
    await stateAfter(own, 2, folder)
    const [file, ...others] = readdirSync(join(folder, 'fixed'))
    assert.deepEqual(others, [])
    const path = join(folder, 'fixed', file!)
    assert.equal(readFileSync(path).length, (text.train.ids.length - 1) * config.width * 4)
    const { ino } = statSync(path)
    assert.deepEqual(await trained(own, { folder }), whole)
    assert.equal(statSync(path).ino, ino)
  })

  it('kept in part are run anew', async () => {
    const [own, folder, stop] = [setup(low, { fixed: 2 }), newFolder(), new AbortController()]
    stop.abort()
    await assert.rejects(trained(own, { folder, signal: stop.signal }), { name: 'AbortError' })
    assert.deepEqual(existsSync(join(folder, 'fixed')) ? readdirSync(join(folder, 'fixed')) : [], [])
    assert.deepEqual(await trained(own, { folder }), await trained(own))
  })
})

const bytesOf = ({ data }: { readonly data: Float32Array | Int32Array }): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
