import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeSafetensors } from '../../lib/data/safetensors-write.ts'
import type { TensorData } from '../../lib/data/safetensors-write.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { initialise, isOutIn, transposed } from '../../lib/model/weights.ts'
import type { JsonObject } from '../../lib/util/json.ts'

/** Writes a model of random weights with the names, the shapes and the buffers of the models that were published. */
export function writePublished(folder: string, config: GptConfig, eos: number): void {
  mkdirSync(folder, { recursive: true })
  const tensors = new Map<string, TensorData>(masksOf(config))
  for (const [name, value] of initialise(config, 1)) {
    // GPT-2's file has no prefix, GPT-Neo's has
    const stored = config.architecture === 'gpt2' ? name.replace('transformer.', '') : name
    tensors.set(stored, isOutIn(config, name) ? transposed(value) : value)
  }
  writeSafetensors(join(folder, 'model.safetensors'), tensors, { dtype: 'F32' })
  writePublishedConfig(folder, config, eos)
}

/** The config.json of openai-community/gpt2 and EleutherAI/gpt-neo-2.7B, with the sizes of this model. */
export function writePublishedConfig(folder: string, config: GptConfig, eos: number): void {
  const json = { ...common(config, eos), ...(config.architecture === 'gpt2' ? gpt2(config) : gptNeo(config)) }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(json, null, 2))
}

/** Which token sees which: of no use to a reader, and in the files all the same. */
function masksOf({ architecture, context, layers }: GptConfig): [string, TensorData][] {
  const mask = { shape: [1, 1, context, context], data: new Float32Array(context ** 2).fill(1) }
  return Array.from({ length: layers }, (_, n): [string, TensorData][] =>
    architecture === 'gpt2'
      ? [[`h.${n}.attn.bias`, mask]]
      : [
          [`transformer.h.${n}.attn.attention.bias`, mask],
          [`transformer.h.${n}.attn.attention.masked_bias`, { shape: [], data: Float32Array.of(-1e9) }],
        ],
  ).flat()
}

const common = ({ vocabSize }: GptConfig, eos: number): JsonObject => ({
  activation_function: 'gelu_new',
  bos_token_id: eos,
  eos_token_id: eos,
  initializer_range: 0.02,
  layer_norm_epsilon: 1e-5,
  summary_activation: null,
  summary_first_dropout: 0.1,
  summary_proj_to_labels: true,
  summary_type: 'cls_index',
  summary_use_proj: true,
  task_specific_params: { 'text-generation': { do_sample: true, max_length: 50 } },
  vocab_size: vocabSize,
})

const gpt2 = ({ context, width, layers, heads }: GptConfig): JsonObject => ({
  architectures: ['GPT2LMHeadModel'],
  attn_pdrop: 0.1,
  embd_pdrop: 0.1,
  model_type: 'gpt2',
  n_ctx: context,
  n_embd: width,
  n_head: heads,
  n_layer: layers,
  n_positions: context,
  resid_pdrop: 0.1,
})

const gptNeo = ({ context, width, layers, heads, attention, window }: GptConfig): JsonObject => ({
  architectures: ['GPTNeoForCausalLM'],
  attention_dropout: 0,
  attention_layers: [...attention],
  attention_types: [[['global', 'local'], layers / 2]],
  embed_dropout: 0,
  gradient_checkpointing: false,
  hidden_size: width,
  intermediate_size: null,
  max_position_embeddings: context,
  model_type: 'gpt_neo',
  num_heads: heads,
  num_layers: layers,
  resid_dropout: 0,
  tokenizer_class: 'GPT2Tokenizer',
  use_cache: true,
  window_size: window,
})
