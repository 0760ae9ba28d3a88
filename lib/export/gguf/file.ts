import { join } from 'node:path'
import type { TokenizerSpec } from '../../data/tokenizer-spec.ts'
import type { GptConfig } from '../../model/config.ts'
import { describeModel, saveConfig, transposed } from '../../model/weights.ts'
import type { Model } from '../../model/weights.ts'
import { Failure } from '../../util/failure.ts'
import { writeGguf } from './container.ts'
import type { GgufTensor, GgufValue } from './container.ts'
import { ggufVocabulary } from './vocabulary.ts'

/**
 * Writes config.json and model.gguf, with the names and keys of llama.cpp's converter (convert_hf_to_gguf.py, GPT2Model).
 * Throws Failure GGUF_ARCHITECTURE for a GPT-Neo, GGUF_TOKENIZER.
 */
export function saveGguf(
  folder: string,
  { config, weights }: Omit<Model, 'digest'>,
  { spec, eos }: { readonly spec: TokenizerSpec; readonly eos: number },
): void {
  if (config.architecture !== 'gpt2') {
    const message =
      'There is no GGUF of a GPT-Neo: llama.cpp has no such architecture. Export it with --format safetensors or onnx.'
    throw new Failure('GGUF_ARCHITECTURE', message)
  }
  const metadata = { ...shapeOf(config), ...ggufVocabulary(spec, eos, config.vocabSize) }
  const tensors = [...weights].map(([name, value]): GgufTensor => {
    // ggml multiplies by rows: (out, in). The embeddings, and a head of its own, are that already
    const flip = /\.h\.\d+\..*\.weight$/.test(name) && value.shape.length === 2
    const shape = flip ? [...value.shape].reverse() : value.shape
    return { name: tensorName(name), shape, data: () => (flip ? transposed(value) : value).data as Float32Array }
  })
  writeGguf(join(folder, 'model.gguf'), metadata, tensors)
  saveConfig(folder, config, eos)
}

const shapeOf = (config: GptConfig): Readonly<Record<string, GgufValue>> => ({
  'general.architecture': { string: 'gpt2' },
  'general.type': { string: 'model' },
  'general.name': { string: describeModel(config) },
  'general.file_type': { uint32: 0 }, // all float32
  'gpt2.block_count': { uint32: config.layers },
  'gpt2.context_length': { uint32: config.context },
  'gpt2.embedding_length': { uint32: config.width },
  'gpt2.feed_forward_length': { uint32: config.inner },
  'gpt2.attention.head_count': { uint32: config.heads },
  'gpt2.attention.layer_norm_epsilon': { float32: config.epsilon },
})

/** Outside the layers. Where `output` is missing, llama.cpp takes the token embedding (llama-model.cpp, LLM_ARCH_GPT2). */
const outer: Readonly<Record<string, string>> = {
  'transformer.wte': 'token_embd',
  'transformer.wpe': 'position_embd',
  'transformer.ln_f': 'output_norm',
  lm_head: 'output',
}

const inLayer: Readonly<Record<string, string>> = {
  ln_1: 'attn_norm',
  'attn.c_attn': 'attn_qkv',
  'attn.c_proj': 'attn_output',
  ln_2: 'ffn_norm',
  'mlp.c_fc': 'ffn_up',
  'mlp.c_proj': 'ffn_down',
}

function tensorName(name: string): string {
  const [, part = '', kind = ''] = /^(.*)\.(weight|bias)$/.exec(name) ?? []
  const [, layer, inner] = /^transformer\.h\.(\d+)\.(.*)$/.exec(part) ?? []
  const found = inner === undefined ? outer[part] : inLayer[inner] && `blk.${layer!}.${inLayer[inner]}`
  if (found === undefined) throw new Error(`Internal error: GGUF has no name for "${name}"`)
  return `${found}.${kind}`
}
