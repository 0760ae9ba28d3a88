import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import type { JsonObject } from '../util/json.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'

export type Attention = 'global' | 'local'

/** The shape of a GPT-2 or GPT-Neo. */
export interface GptConfig {
  readonly architecture: 'gpt2' | 'gpt_neo'
  readonly vocabSize: number
  /** Length of the position table. */
  readonly context: number
  readonly width: number
  readonly layers: number
  readonly heads: number
  /** Width of the MLP's inner layer. */
  readonly inner: number
  /** One entry a layer; GPT-2 has `global` alone. */
  readonly attention: readonly Attention[]
  /** A local layer sees this many positions, its own among them. */
  readonly window: number
  /** Of the layer norms. */
  readonly epsilon: number
  /** The output head is the token embedding; else it is a matrix (V, C) of its own. */
  readonly tied: boolean
}

type Fields = Readonly<Record<string, unknown>>

/** The counts of a shape, by their names in its `config.json`. A GPT-2 has no window of its own. */
const counts = {
  gpt2: {
    vocabSize: 'vocab_size',
    context: 'n_positions',
    width: 'n_embd',
    layers: 'n_layer',
    heads: 'n_head',
    inner: 'n_inner',
    window: 'n_positions',
  },
  gpt_neo: {
    vocabSize: 'vocab_size',
    context: 'max_position_embeddings',
    width: 'hidden_size',
    layers: 'num_layers',
    heads: 'num_heads',
    inner: 'intermediate_size',
    window: 'window_size',
  },
} as const

type Count = keyof (typeof counts)['gpt2']

/** The deepest are 48 layers deep. Any number may stand in a file, and lists are made of that length. */
const mostLayers = 1000

/** Reads a `config.json` in the form of Hugging Face's transformers. Failures: CONFIG_UNSUPPORTED, CONFIG_INVALID. */
export function parseConfig(json: unknown, file = 'config.json'): Result<GptConfig, Failure> {
  if (!isRecord(json)) return err(new Failure('CONFIG_INVALID', `"${file}" is not a JSON object.`))
  const type = json['model_type']
  const reader = type === 'gpt2' ? readGpt2 : type === 'gpt_neo' ? readGptNeo : undefined
  if (!reader) {
    const message = `"${file}": model_type is ${JSON.stringify(type)}; supported are "gpt2" and "gpt_neo".`
    return err(new Failure('CONFIG_UNSUPPORTED', message))
  }
  const config = reader(json)
  const mistake = mistakeIn(config, json)
  return mistake === undefined ? ok(config) : err(new Failure('CONFIG_INVALID', `"${file}": ${mistake}.`))
}

/** The `config.json` that transformers reads back into the same model. */
export function writeConfig(config: GptConfig, eos: number): JsonObject {
  const common = {
    vocab_size: config.vocabSize,
    bos_token_id: eos,
    eos_token_id: eos,
    tie_word_embeddings: config.tied,
  }
  const dropout = { resid_pdrop: 0, embd_pdrop: 0, attn_pdrop: 0 }
  if (config.architecture === 'gpt2') {
    return {
      model_type: 'gpt2',
      architectures: ['GPT2LMHeadModel'],
      ...common,
      ...dropout,
      n_positions: config.context,
      n_ctx: config.context,
      n_embd: config.width,
      n_layer: config.layers,
      n_head: config.heads,
      n_inner: config.inner,
      activation_function: 'gelu_new',
      layer_norm_epsilon: config.epsilon,
    }
  }
  return {
    model_type: 'gpt_neo',
    architectures: ['GPTNeoForCausalLM'],
    ...common,
    resid_dropout: 0,
    embed_dropout: 0,
    attention_dropout: 0,
    max_position_embeddings: config.context,
    hidden_size: config.width,
    num_layers: config.layers,
    num_heads: config.heads,
    intermediate_size: config.inner,
    activation_function: 'gelu_new',
    layer_norm_epsilon: config.epsilon,
    window_size: config.window,
    attention_types: [[[...config.attention], 1]],
    attention_layers: [...config.attention],
  }
}

/** Throws Failure CONTEXT_TOO_LONG when rows of this length do not fit the position table. */
export function checkContext(config: GptConfig, context: number): void {
  if (context <= config.context) return
  const message = `The context is ${context} tokens; the model's position table has ${config.context}. Lower \`context\` or take another model.`
  throw new Failure('CONTEXT_TOO_LONG', message)
}

function readGpt2(json: Fields): GptConfig {
  const width = number(json, 'n_embd')
  const layers = number(json, 'n_layer')
  const context = number(json, 'n_positions')
  return {
    architecture: 'gpt2',
    vocabSize: number(json, 'vocab_size'),
    context,
    width,
    layers,
    heads: number(json, 'n_head'),
    inner: number(json, 'n_inner', 4 * width),
    attention: Array.from({ length: Math.min(layers, mostLayers) }, () => 'global'),
    window: context,
    epsilon: number(json, 'layer_norm_epsilon', 1e-5),
    tied: json['tie_word_embeddings'] !== false,
  }
}

function readGptNeo(json: Fields): GptConfig {
  const width = number(json, 'hidden_size')
  const layers = number(json, 'num_layers')
  return {
    architecture: 'gpt_neo',
    vocabSize: number(json, 'vocab_size'),
    context: number(json, 'max_position_embeddings'),
    width,
    layers,
    heads: number(json, 'num_heads'),
    inner: number(json, 'intermediate_size', 4 * width),
    attention: attentionOf(json, layers),
    window: number(json, 'window_size', 256),
    epsilon: number(json, 'layer_norm_epsilon', 1e-5),
    tied: json['tie_word_embeddings'] !== false,
  }
}

/** `attention_types: [[["global","local"],12]]` stands for 12 repetitions; the default alternates. */
function attentionOf(json: Fields, layers: number): readonly Attention[] {
  const most = Math.min(layers, mostLayers)
  const types = json['attention_types'] ?? [[['global', 'local'], Math.ceil(layers / 2)]]
  if (!Array.isArray(types)) return []
  const flat = types.flatMap((entry: unknown) => {
    const [kinds, times] = Array.isArray(entry) ? (entry as readonly unknown[]) : []
    return Array.isArray(kinds)
      ? Array.from({ length: Math.min(Number(times), most) }, () => kinds as Attention[]).flat()
      : []
  })
  return flat.slice(0, layers)
}

function number(json: Fields, name: string, otherwise = Number.NaN): number {
  const value = json[name] ?? otherwise
  return typeof value === 'number' ? value : Number.NaN
}

const found = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value))

function mistakeIn(config: GptConfig, json: Fields): string | undefined {
  for (const [field, name] of Object.entries(counts[config.architecture]) as [Count, string][]) {
    if (Number.isInteger(config[field]) && config[field] >= 1) continue
    return `${name} must be a whole number of at least 1; found ${found(json[name])}`
  }
  if (config.layers > mostLayers) return `it has ${config.layers} layers; supported are at most ${mostLayers}`
  if (config.width % config.heads !== 0) {
    return `its width ${config.width} cannot be divided among ${config.heads} heads`
  }
  if (config.attention.length !== config.layers || !config.attention.every((kind) => /^(global|local)$/.test(kind))) {
    return `attention_types must name "global" or "local" for each of ${config.layers} layers`
  }
  if (!(config.epsilon > 0)) return 'layer_norm_epsilon must be above 0'
  const activation = json['activation_function'] ?? 'gelu_new'
  if (activation !== 'gelu_new') return `activation_function is ${JSON.stringify(activation)}; supported is "gelu_new"`
  if (json['scale_attn_weights'] === false || json['scale_attn_by_inverse_layer_idx'] === true) {
    return 'its attention is scaled in a way that is not supported (scale_attn_weights, scale_attn_by_inverse_layer_idx)'
  }
  return undefined
}
