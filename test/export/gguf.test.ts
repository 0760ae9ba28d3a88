import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readTokenizerSpec } from '../../lib/data/tokenizer-spec.ts'
import type { TokenizerSpec } from '../../lib/data/tokenizer-spec.ts'
import { saveGguf } from '../../lib/export/gguf/file.ts'
import type { TensorValue } from '../../lib/engine/engine.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { initialise } from '../../lib/model/weights.ts'
import { scratch, tiny, tinyNeo } from '../model/rig.ts'
import { readGguf } from './gguf-reader.ts'
import type { GgufFile } from './gguf-reader.ts'

const harness = join(import.meta.dirname, '../fixtures/harness/model')
const { spec: bpe } = readTokenizerSpec(harness)

/** Lengths that differ wherever they may; seven more rows than the tokenizer has tokens. */
const shape = tiny({ vocabSize: 607, context: 12, width: 8, inner: 20 })

/** By a checkpoint's names, what llama-model.cpp asks for (LLM_ARCH_GPT2): name and lengths, the fastest-running first. */
type Table = Readonly<Record<string, readonly [name: string, dims: readonly number[]]>>
const outer: Table = {
  'transformer.wte.weight': ['token_embd.weight', [8, 607]],
  'transformer.wpe.weight': ['position_embd.weight', [8, 12]],
  'transformer.ln_f.weight': ['output_norm.weight', [8]],
  'transformer.ln_f.bias': ['output_norm.bias', [8]],
}
const inLayer: Table = {
  'ln_1.weight': ['attn_norm.weight', [8]],
  'ln_1.bias': ['attn_norm.bias', [8]],
  'attn.c_attn.weight': ['attn_qkv.weight', [8, 24]],
  'attn.c_attn.bias': ['attn_qkv.bias', [24]],
  'attn.c_proj.weight': ['attn_output.weight', [8, 8]],
  'attn.c_proj.bias': ['attn_output.bias', [8]],
  'ln_2.weight': ['ffn_norm.weight', [8]],
  'ln_2.bias': ['ffn_norm.bias', [8]],
  'mlp.c_fc.weight': ['ffn_up.weight', [8, 20]],
  'mlp.c_fc.bias': ['ffn_up.bias', [20]],
  'mlp.c_proj.weight': ['ffn_down.weight', [20, 8]],
  'mlp.c_proj.bias': ['ffn_down.bias', [8]],
}

/** The names of a whole model of two layers. */
function table(tied: boolean): Table {
  const head: Table = tied ? {} : { 'lm_head.weight': ['output.weight', [8, 607]] }
  const layers = [0, 1].flatMap((n) =>
    Object.entries(inLayer).map(([ours, [name, dims]]) => [`transformer.h.${n}.${ours}`, [`blk.${n}.${name}`, dims]]),
  )
  return { ...outer, ...head, ...(Object.fromEntries(layers) as Table) }
}

function written(config: GptConfig, spec: TokenizerSpec = bpe, eos = 0): GgufFile {
  const folder = scratch()
  saveGguf(folder, { config, weights: drawn(config) }, { spec, eos })
  return readGguf(readFileSync(join(folder, 'model.gguf')))
}

/** A matrix (in, out) as (out, in). */
function turned({ shape: [from, to], data }: TensorValue): number[] {
  return Array.from({ length: to! }, (_, o) => Array.from({ length: from! }, (__, i) => data[i * to! + o]!)).flat()
}

/** Weights of which no value stands twice. */
function drawn(config: GptConfig): ReturnType<typeof initialise> {
  const weights = initialise(config, 3)
  let next = 0
  for (const { data } of weights.values()) for (let i = 0; i < data.length; i++) data[i] = next++
  return weights
}

describe('a GGUF file', () => {
  for (const tied of [true, false]) {
    it(`has the tensors that llama.cpp asks for, and no other: ${tied ? 'a tied head' : 'a head of its own'}`, () => {
      const config = { ...shape, tied }
      const weights = drawn(config)
      const { tensors } = written(config)
      const names = Object.entries(table(tied))
      assert.deepEqual(new Set(tensors.keys()), new Set(names.map(([, [name]]) => name)))
      assert.equal(weights.size, names.length)
      for (const [ours, [name, dims]] of names) {
        const found = tensors.get(name)!
        assert.deepEqual(found.dims, dims, name)
        const expected = /\.h\..*\.c_.*weight$/.test(ours) ? turned(weights.get(ours)!) : weights.get(ours)!.data
        assert.deepEqual([...found.data], [...expected], name)
      }
    })
  }

  it('has every tensor at a multiple of 32 bytes, none over another, and the last one whole', () => {
    const { tensors, data } = written(shape)
    let end = 0
    assert.equal(data.start % 32, 0)
    for (const [name, { offset, data: values }] of tensors) {
      assert.equal(offset, Math.ceil(end / 32) * 32, name)
      end = offset + values.byteLength
    }
    assert.equal(data.length, Math.ceil(end / 32) * 32)
  })

  it('says what the model is, in the types that llama.cpp asks for', () => {
    const { version, metadata } = written({ ...shape, epsilon: 1e-3 })
    assert.equal(version, 3)
    assert.deepEqual(Object.fromEntries([...metadata].filter(([key]) => !/tokens|token_type|merges/.test(key))), {
      'general.architecture': ['string', 'gpt2'],
      'general.type': ['string', 'model'],
      'general.name': ['string', 'GPT-2, 2 layers, 8 wide'],
      'general.file_type': ['uint32', 0],
      'gpt2.block_count': ['uint32', 2],
      'gpt2.context_length': ['uint32', 12],
      'gpt2.embedding_length': ['uint32', 8],
      'gpt2.feed_forward_length': ['uint32', 20],
      'gpt2.attention.head_count': ['uint32', 2],
      'gpt2.attention.layer_norm_epsilon': ['float32', Math.fround(1e-3)],
      'tokenizer.ggml.model': ['string', 'gpt2'],
      'tokenizer.ggml.pre': ['string', 'gpt-2'],
      'tokenizer.ggml.bos_token_id': ['uint32', 0],
      'tokenizer.ggml.eos_token_id': ['uint32', 0],
      'tokenizer.ggml.add_bos_token': ['bool', false],
    })
  })

  it('stands beside a config.json', () => {
    const folder = scratch()
    saveGguf(folder, { config: shape, weights: drawn(shape) }, { spec: bpe, eos: 0 })
    assert.deepEqual(readdirSync(folder), ['config.json', 'model.gguf'])
  })

  it('is not made of a GPT-Neo', () => {
    const message = /no GGUF of a GPT-Neo: llama\.cpp has no such architecture\..*--format safetensors or onnx/
    assert.throws(() => written(tinyNeo({ vocabSize: 600 })), { code: 'GGUF_ARCHITECTURE', exitCode: 2, message })
  })
})

describe('the vocabulary of a GGUF file', () => {
  const json = JSON.parse(readFileSync(join(harness, 'tokenizer.json'), 'utf8')) as {
    model: { vocab: Record<string, number>; merges: [string, string][] }
  }
  const list = ({ metadata }: GgufFile, name: string): unknown => metadata.get(`tokenizer.ggml.${name}`)

  it("is the tokenizer's, filled up to the model's rows", () => {
    const file = written(shape)
    const byId = Object.entries(json.model.vocab).sort(([, a], [, b]) => a - b)
    assert.equal(byId.length, 600)
    const pads = [600, 601, 602, 603, 604, 605, 606].map((id) => `[PAD${id}]`)
    assert.deepEqual(list(file, 'tokens'), ['string[]', [...byId.map(([token]) => token), ...pads]])
    const kinds = [3, ...Array<number>(599).fill(1), ...Array<number>(7).fill(5)] // control, normal, unused
    assert.deepEqual(list(file, 'token_type'), ['int32[]', kinds])
    assert.deepEqual(list(file, 'merges'), ['string[]', json.model.merges.map((pair) => pair.join(' '))])
  })

  it('takes merges that are written as one text', () => {
    const model = { ...bpe.model, merges: json.model.merges.map((pair) => pair.join(' ')) }
    assert.deepEqual(list(written(shape, { ...bpe, model }), 'merges'), list(written(shape), 'merges'))
  })

  it('has added tokens as they are, special or not, and no text twice', () => {
    const added = [
      ...bpe.added_tokens,
      { id: 601, content: ' two words ', special: false },
      { id: 604, content: '[PAD603]', special: true },
    ]
    const file = written(shape, { ...bpe, added_tokens: added }, 604)
    const [, tokens] = list(file, 'tokens') as [string, string[]]
    const [, types] = list(file, 'token_type') as [string, number[]]
    assert.deepEqual(tokens.slice(600), [
      '[PAD600]',
      ' two words ',
      '[PAD602]',
      '[[PAD603]]',
      '[PAD603]',
      '[PAD605]',
      '[PAD606]',
    ])
    assert.deepEqual(types.slice(600), [5, 4, 5, 5, 3, 5, 5])
    assert.equal(new Set(tokens).size, 607)
    assert.deepEqual(
      [list(file, 'bos_token_id'), list(file, 'eos_token_id')],
      [
        ['uint32', 604],
        ['uint32', 604],
      ],
    )
  })

  const step = bpe.pre_tokenizer!
  const others: Readonly<Record<string, [Partial<TokenizerSpec>, RegExp]>> = {
    'another type': [{ model: { ...bpe.model, type: 'WordLevel' } }, /is of the type WordLevel,/],
    'a normalizer': [{ normalizer: { type: 'NFC' } }, /changes the text first \(NFC\),/],
    'no first step': [{ pre_tokenizer: null }, /does not split text into bytes \(no first step\),/],
    'another first step': [{ pre_tokenizer: { type: 'Metaspace' } }, /into bytes \(Metaspace\),/],
    'a space before the text': [
      { pre_tokenizer: { ...step, add_prefix_space: true } },
      /puts a space before the text,/,
    ],
    'words that are not parted': [{ pre_tokenizer: { ...step, use_regex: false } }, /does not part words,/],
    'another setting': [{ model: { ...bpe.model, ignore_merges: true } }, /has the setting ignore_merges,/],
    'a token that takes spaces': [
      { added_tokens: [...bpe.added_tokens, { id: 600, content: '<mask>', special: true, lstrip: true }] },
      /its token "<mask>" depends on what stands beside it,/,
    ],
    'bytes without a token': [
      { model: { ...bpe.model, vocab: without(bpe.model.vocab, 'z', 'Ċ') } },
      /has no token for 2 of the 256 bytes,/,
    ],
  }
  for (const [what, [difference, message]] of Object.entries(others)) {
    it(`is not made of a tokenizer with ${what}`, () => {
      const write = (): unknown => written(shape, { ...bpe, ...difference })
      assert.throws(write, { code: 'GGUF_TOKENIZER', exitCode: 2, message })
      assert.throws(write, /llama\.cpp takes GPT-2's byte-level BPE alone for it\. .*--format safetensors or onnx\./)
    })
  }
})

function without(vocab: Readonly<Record<string, number>>, ...tokens: readonly string[]): Record<string, number> {
  return Object.fromEntries(Object.entries(vocab).filter(([token]) => !tokens.includes(token)))
}
