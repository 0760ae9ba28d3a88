import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { writeSafetensors } from '../../lib/data/safetensors-write.ts'
import type { TensorValue } from '../../lib/engine/index.ts'
import { grad, input, reshape, state } from '../../lib/graph/index.ts'
import type { Tensor } from '../../lib/graph/index.ts'
import { parseConfig, writeConfig } from '../../lib/model/config.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { gpt } from '../../lib/model/gpt.ts'
import { distillLoss } from '../../lib/model/losses.ts'
import {
  initialise,
  loadModel,
  openModel,
  parameterCount,
  saveModel,
  weightShapes,
  weightState,
} from '../../lib/model/weights.ts'
import { fromHalf, toHalf } from '../../lib/util/half.ts'
import { assertClose, evaluate, fixtures, ids, scratch, tensorsOf, tiny, tinyNeo } from './rig.ts'

type Tensors = ReadonlyMap<string, TensorValue>
type Json = Record<string, unknown>

const temporary = scratch()
const embedding = 'transformer.wte.weight'
let folders = 0

/** Matrices of (in, out) and how each lies in its file. */
const matrices = {
  gpt2: [
    ['attn.c_attn', 24, 72, 'in first'],
    ['attn.c_proj', 24, 24, 'in first'],
    ['mlp.c_fc', 24, 96, 'in first'],
    ['mlp.c_proj', 96, 24, 'in first'],
  ],
  'gpt-neo': [
    ['attn.attention.q_proj', 24, 24, 'out first'],
    ['attn.attention.k_proj', 24, 24, 'out first'],
    ['attn.attention.v_proj', 24, 24, 'out first'],
    ['attn.attention.out_proj', 24, 24, 'out first'],
    ['mlp.c_fc', 24, 96, 'out first'],
    ['mlp.c_proj', 96, 24, 'out first'],
  ],
} as const

for (const name of ['gpt2', 'gpt-neo'] as const) {
  describe(`the weights of ${name}`, async () => {
    const folder = join(fixtures, name)
    const stored = tensorsOf(folder)
    const model = await loadModel(folder)

    for (const [matrix, from, to, order] of matrices[name]) {
      it(`hold ${matrix} as (in, out), stored ${order}`, () => {
        for (const layer of [0, 1]) {
          const weight = `transformer.h.${layer}.${matrix}.weight`
          const { shape, data } = model.weights.get(weight)!
          const raw = rawTensor(join(folder, 'model.safetensors'), weight)
          assert.deepEqual(shape, [from, to])
          for (let i = 0; i < from; i++) {
            for (let o = 0; o < to; o++) {
              assert.equal(
                data[i * to + o],
                raw[order === 'in first' ? i * to + o : o * from + i],
                `${weight} ${i},${o}`,
              )
            }
          }
        }
      })
    }

    it('hold the embeddings and vectors as they are stored', () => {
      for (const [weight, { shape, data }] of model.weights) {
        if (/\.(c_\w+|\w_proj|out_proj)\.weight$/.test(weight)) continue
        assert.deepEqual({ shape, data }, stored.get(weight))
      }
    })

    const withHead = new Map([...stored, ['lm_head.weight', stored.get(embedding)!]])
    const attention = name === 'gpt2' ? 'attn' : 'attn.attention'
    const buffers = [0, 1].flatMap((layer): [string, TensorValue][] => [
      [`transformer.h.${layer}.${attention}.bias`, { shape: [1, 1, 16, 16], data: new Float32Array(256).fill(1) }],
      [`transformer.h.${layer}.${attention}.masked_bias`, { shape: [], data: Float32Array.of(-1e9) }],
    ])
    const variants: Record<string, Tensors> = {
      'as stored': stored,
      'without the prefix': bare(stored),
      'with the tied head': withHead,
      'without the prefix, with the tied head': bare(withHead),
      'with the mask buffers': new Map([...stored, ...buffers]),
      'without the prefix, with the mask buffers': bare(new Map([...stored, ...buffers])),
    }
    for (const [variant, tensors] of Object.entries(variants)) {
      it(`load ${variant}`, async () => {
        const { weights, config } = await loadModel(folderOf(name, tensors))
        assert.deepEqual(config, model.config)
        assert.deepEqual(weights, model.weights)
      })
    }

    for (const dtype of ['F32', 'F16'] as const) {
      it(`come back from ${dtype}, the tied head stored once, matrices as the original has them`, async () => {
        const saved = join(temporary, `saved-${folders++}`)
        saveModel(saved, model, { dtype, eos: 60 })
        const round = (data: TensorValue['data']): TensorValue['data'] =>
          dtype === 'F32' ? data : fromHalf(toHalf(data as Float32Array))
        const again = await loadModel(saved)
        assert.deepEqual(again.config, model.config)
        const rounded = ([one, { shape, data }]: [string, TensorValue]) => [one, { shape, data: round(data) }] as const
        assert.deepEqual(again.weights, new Map([...model.weights].map(rounded)))
        assert.deepEqual(tensorsOf(saved), new Map([...stored].map(rounded)))
        const opened = await openModel(saved)
        const inFile = (data: TensorValue['data']) => (dtype === 'F32' ? data : toHalf(data as Float32Array))
        for (const [one, { shape, data }] of stored)
          assert.deepEqual(opened.stored(one), { shape, data: inFile(data) }, one)
        const { tie_word_embeddings: tied, eos_token_id: eos } = readConfig(saved)
        assert.deepEqual([tied, eos], [true, 60])
      })
    }

    it('are refused with a head that is not the embedding', async () => {
      const { shape, data } = stored.get(embedding)!
      const other = data.slice()
      other[7]! += 1e-3
      for (const head of [
        { shape, data: other },
        { shape: [60, 24], data: data.slice(0, 60 * 24) },
      ]) {
        const untied = folderOf(name, new Map([...stored, ['lm_head.weight', head]]))
        await assert.rejects(loadModel(untied), { code: 'WEIGHTS_UNTIED', message: /ties it to the token embedding/ })
      }
    })

    it('are refused by name where one is missing', async () => {
      const lost = 'transformer.h.1.ln_2.bias'
      const less = new Map([...stored].filter(([one]) => one !== lost))
      await assert.rejects(loadModel(folderOf(name, less)), { code: 'WEIGHTS_MISSING', message: new RegExp(lost) })
    })

    it('are refused by name where a shape is not that of config.json', async () => {
      const [matrix, from, to] = matrices[name].find(([one]) => one === 'mlp.c_fc')!
      const wrong = `transformer.h.0.${matrix}.weight`
      const { shape, data } = stored.get(wrong)!
      const turned = new Map([...stored, [wrong, { shape: [...shape].reverse(), data }]])
      const shapes = name === 'gpt2' ? `${to},${from}].*${from},${to}` : `${from},${to}].*${to},${from}`
      await assert.rejects(loadModel(folderOf(name, turned)), {
        code: 'WEIGHTS_SHAPE',
        message: new RegExp(`${wrong}.*\\[${shapes}\\]`),
      })
    })
  })
}

for (const [name, config] of Object.entries({ 'GPT-2': tiny(), 'GPT-Neo': tinyNeo() })) {
  describe(`the tied embedding of ${name}`, () => {
    const weights = new Map(initialise(config, 1))
    const table = weights.get(embedding)!
    const [tokens, labels] = [ids([1, 6], [3, 0, 3, 5, 12, 3]), ids([6], [0, 3, 5, 12, 3, 7])]
    const leaf = weightState(config)
    const lossFor = (table: Tensor, head: Tensor): Tensor => {
      const hidden = gpt(config, (one) => (one === embedding ? table : leaf(one)), {
        tokens: input('tokens', [1, 6], 'int32'),
      })
      return distillLoss({ hidden: reshape(hidden, [6, 8]), head, labels: input('labels', [6], 'int32') }, 4).loss
    }
    const loss = lossFor(leaf(embedding), leaf(embedding))
    const lossAt = async (at: number, by: number): Promise<number> => {
      const moved = { ...table, data: table.data.map((value, i) => (i === at ? value + by : value)) }
      return (await evaluate({ loss }, { tokens, labels }, new Map([...weights, [embedding, moved]])))['loss']!.data[0]!
    }

    it('has for its gradient the sum of both uses', async (t) => {
      const head = state('head', table.shape)
      const [apart, asHead] = grad(lossFor(leaf(embedding), head), [leaf(embedding), head])
      const [both] = grad(loss, [leaf(embedding)])
      const held = new Map([...weights, ['head', table] as const])
      const found = await evaluate({ both: both!, apart: apart!, asHead: asHead! }, { tokens, labels }, held)
      const [one, other] = [found['apart']!.data, found['asHead']!.data]
      for (const part of [one, other])
        assert.ok(
          part.some((value) => Math.abs(value) > 1e-3),
          'no gradient',
        )
      assertClose(
        t,
        'sum',
        found['both']!.data,
        one.map((value, i) => value + other[i]!),
        1e-6,
      )
    })

    for (const [token, use] of [
      [3, 'read and predicted'],
      [7, 'predicted'],
      [1, 'neither'],
    ] as const) {
      it(`has that of finite differences for a token ${use}`, async (t) => {
        const [both] = grad(loss, [leaf(embedding)])
        const { data } = (await evaluate({ both: both! }, { tokens, labels }, weights))['both']!
        const at = token * 8 + 2
        const step = 2 ** -7
        const difference = (await lossAt(at, step)) - (await lossAt(at, -step))
        assertClose(t, 'gradient', [data[at]!], [difference / (2 * step)], 1e-2)
      })
    }
  })
}

describe('the weights of torch.save', () => {
  for (const name of ['gpt2', 'shards', 'buffers']) {
    it(`load as those of safetensors do: ${name}`, async () => {
      const folder = (one: string): string => join(fixtures, '..', 'torch', one)
      const { config, weights, digest } = await loadModel(folder(name))
      const expected = await loadModel(folder('safetensors'))
      assert.deepEqual(config, expected.config)
      assert.deepEqual(weights, expected.weights)
      assert.notEqual(digest, expected.digest)
    })
  }
})

describe('config.json', () => {
  const gpt2 = writeConfig(tiny(), 12)
  const neo = writeConfig(tinyNeo(), 12)
  const cases: [string, unknown, string, RegExp][] = [
    ['a list', [], 'CONFIG_INVALID', /not a JSON object/],
    ['another architecture', { ...gpt2, model_type: 'llama' }, 'CONFIG_UNSUPPORTED', /"llama"; supported are "gpt2"/],
    ['no architecture', { n_embd: 8 }, 'CONFIG_UNSUPPORTED', /undefined/],
    ['no width', { ...gpt2, n_embd: undefined }, 'CONFIG_INVALID', /n_embd must be .* found none/],
    ['a width of text', { ...neo, hidden_size: '8' }, 'CONFIG_INVALID', /hidden_size must be .* found "8"/],
    ['no layer', { ...gpt2, n_layer: 0 }, 'CONFIG_INVALID', /n_layer must be .* found 0/],
    [
      'more layers than a list holds',
      { ...gpt2, n_layer: 1e10 },
      'CONFIG_INVALID',
      /10000000000 layers; .* at most 1000/,
    ],
    ['more local ones', { ...neo, num_layers: 1e10, attention_types: [[['local'], 1e10]] }, 'CONFIG_INVALID', /layers/],
    ['a vocabulary of 12.5', { ...gpt2, vocab_size: 12.5 }, 'CONFIG_INVALID', /vocab_size must be .* found 12\.5/],
    [
      'no positions',
      { ...neo, max_position_embeddings: null },
      'CONFIG_INVALID',
      /max_position_embeddings .* found null/,
    ],
    ['a window of 0', { ...neo, window_size: 0 }, 'CONFIG_INVALID', /window_size must be .* found 0/],
    ['heads that do not divide the width', { ...gpt2, n_head: 3 }, 'CONFIG_INVALID', /width 8 .* 3 heads/],
    [
      'attention of too few layers',
      { ...neo, attention_types: [[['local'], 1]] },
      'CONFIG_INVALID',
      /each of 2 layers/,
    ],
    ['attention of no kind', { ...neo, attention_types: [[['far'], 2]] }, 'CONFIG_INVALID', /"global" or "local"/],
    ['attention in another form', { ...neo, attention_types: 'global' }, 'CONFIG_INVALID', /attention_types/],
    ['an epsilon of 0', { ...gpt2, layer_norm_epsilon: 0 }, 'CONFIG_INVALID', /epsilon/],
    ['the gelu of erf', { ...gpt2, activation_function: 'gelu' }, 'CONFIG_INVALID', /"gelu"; supported is "gelu_new"/],
    ['unscaled attention', { ...gpt2, scale_attn_weights: false }, 'CONFIG_INVALID', /scale_attn_weights/],
    [
      'attention by layer',
      { ...gpt2, scale_attn_by_inverse_layer_idx: true },
      'CONFIG_INVALID',
      /by_inverse_layer_idx/,
    ],
  ]
  for (const [what, json, code, message] of cases) {
    it(`is refused: ${what}`, () => {
      const parsed = parseConfig(json, 'my/config.json')
      assert.ok(!parsed.ok, 'accepted')
      assert.equal(parsed.error.code, code)
      assert.match(parsed.error.message, message)
      assert.match(parsed.error.message, /^"my\/config\.json"/)
    })
  }

  it('is refused when a model is loaded', async () => {
    const folder = folderOf('gpt2', new Map(), { n_head: 5 })
    await assert.rejects(loadModel(folder), { code: 'CONFIG_INVALID', message: new RegExp(folder) })
    await assert.rejects(loadModel(join(temporary, 'nowhere')), { code: 'FILE_MISSING' })
  })

  it('comes back as it was written', () => {
    for (const config of [tiny(), tiny({ inner: 5, context: 7, window: 7 }), tinyNeo(), tinyNeo({ window: 9 })]) {
      assert.deepEqual(parsed(writeConfig(config, 12)), config)
    }
  })

  it("has transformers' defaults", () => {
    const bare2 = { model_type: 'gpt2', vocab_size: 50257, n_positions: 1024, n_embd: 768, n_layer: 12, n_head: 12 }
    assert.deepEqual([parsed(bare2).inner, parsed(bare2).epsilon], [3072, 1e-5])
    const { inner, window, attention } = parsed(neo125)
    assert.deepEqual([inner, window, attention.slice(0, 3)], [3072, 256, ['global', 'local', 'global']])
  })
})

describe('parameters', () => {
  it('of GPT-2 124M and GPT-Neo 125M are as many as published, the tied embedding counted once', () => {
    const gpt2 = tiny({ vocabSize: 50257, context: 1024, width: 768, layers: 12, heads: 12, inner: 3072 })
    assert.equal(parameterCount(gpt2), 124_439_808)
    assert.equal(parameterCount(parsed(neo125)), 125_198_592)
  })

  it('are as many as a stored model has values', async () => {
    for (const name of ['gpt2', 'gpt-neo']) {
      const { config, weights } = await loadModel(join(fixtures, name))
      const count = [...tensorsOf(join(fixtures, name)).values()].reduce((sum, { data }) => sum + data.length, 0)
      assert.equal(parameterCount(config), count)
      assert.deepEqual([...weights.keys()], [...weightShapes(config).keys()])
    }
  })
})

const neo125 = {
  model_type: 'gpt_neo',
  vocab_size: 50257,
  max_position_embeddings: 2048,
  hidden_size: 768,
  num_layers: 12,
  num_heads: 12,
}

function parsed(json: unknown): GptConfig {
  const config = parseConfig(json)
  assert.ok(config.ok, 'refused')
  return config.value
}

/** A model folder of its own, with the reference's config.json but for `change`. */
function folderOf(name: string, tensors: Tensors, change: Json = {}): string {
  const folder = join(temporary, `model-${folders++}`)
  mkdirSync(folder)
  cpSync(join(fixtures, name, 'config.json'), join(folder, 'config.json'))
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...readConfig(folder), ...change }))
  writeSafetensors(join(folder, 'model.safetensors'), tensors, { dtype: 'F32' })
  return folder
}

const readConfig = (folder: string): Json => JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Json

const bare = (tensors: Tensors): Tensors =>
  new Map([...tensors].map(([name, value]) => [name.replace(/^transformer\./, ''), value]))

/** The floats of a tensor, straight from the file: length of the header, header, data. */
function rawTensor(file: string, name: string): Float32Array {
  const bytes = readFileSync(file)
  const begin = 8 + Number(bytes.readBigUInt64LE())
  const header = JSON.parse(bytes.toString('utf8', 8, begin)) as Record<string, { data_offsets: [number, number] }>
  const [from, to] = header[name]!.data_offsets
  return new Float32Array(new Uint8Array(bytes.subarray(begin + from, begin + to)).buffer)
}
