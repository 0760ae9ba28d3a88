import {
  add,
  and,
  constant,
  equal,
  gather,
  gelu,
  greaterEqual,
  iota,
  layerNorm,
  less,
  matmul,
  or,
  reshape,
  slice,
  softmax,
  sub,
  transpose,
  where,
} from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import type { Attention, GptConfig } from './config.ts'

// B batch · T tokens in a row · C width · H heads · D width of a head (C / H) · I inner width of the MLP · V vocabulary

/** A weight by its name in the checkpoint; matrices are (in, out), the embeddings (rows, C). */
export type Weights = (name: string) => Tensor

export interface Batch {
  /** (B, T) int32 */
  readonly tokens: Tensor
  /** (B, T) int32: rows of the position table; 0, 1, 2 … where not given. */
  readonly positions?: Tensor
  /** (B, T) int32: 0 is seen by all that follow, another number only by its like, −1 (padding) by nobody. */
  readonly segments?: Tensor
}

/**
 * GPT-2 (Radford et al. 2019) and GPT-Neo (Black et al. 2021) up to the final layer norm: (B, T, C).
 * GPT-Neo differs: attention is not scaled by 1/√D, queries, keys and values have no bias, and `local` layers see a
 * window of positions.
 */
export function gpt(config: GptConfig, weight: Weights, batch: Batch): Tensor {
  const masks = { global: maskOf(config, 'global', batch), local: maskOf(config, 'local', batch) }
  let x = embed(weight, batch) // (B, T, C)
  for (let layer = 0; layer < config.layers; layer++) {
    x = block(config, (name) => weight(`transformer.h.${layer}.${name}`), x, masks[config.attention[layer]!])
  }
  return finalNorm(config, weight, x)
}

/** The output head (V, C): logits are hidden · headᵀ. */
export const headOf = (config: GptConfig, weight: Weights): Tensor => weight(headWeight(config))

/** The token embedding, unless the checkpoint has a head of its own. */
export const headWeight = ({ tied }: GptConfig): string => (tied ? 'transformer.wte.weight' : 'lm_head.weight')

/** Tokens and their places: (B, T, C). */
export function embed(weight: Weights, { tokens, positions }: Batch): Tensor {
  const [, T] = tokens.shape
  const table = weight('transformer.wpe.weight') // (context, C)
  const places = positions ? gather(table, positions) : slice(table, [0, 0], [T!, -1]) // (B, T, C) or (T, C)
  return add(gather(weight('transformer.wte.weight'), tokens), places)
}

/** One layer, its weights named as within `transformer.h.N`: (B, T, C) to (B, T, C). */
export function block(config: GptConfig, weight: Weights, x: Tensor, masked: Tensor): Tensor {
  const attended = add(x, attention(config, weight, norm(config, weight, 'ln_1', x), masked))
  return add(attended, mlp(weight, norm(config, weight, 'ln_2', attended)))
}

export const finalNorm = (config: GptConfig, weight: Weights, x: Tensor): Tensor =>
  norm(config, (name) => weight(`transformer.${name}`), 'ln_f', x)

/** 0 where i may attend to j, else −1e9, whose exp is exactly 0: (B or 1, 1, T, T). Padding sees itself: no row is empty. */
export function maskOf({ window }: GptConfig, kind: Attention, { tokens, positions, segments }: Batch): Tensor {
  const [B, T] = tokens.shape as readonly [number, number]
  const i = iota([1, 1, T, T], 2)
  const j = iota([1, 1, T, T], 3)
  const column = (x: Tensor): Tensor => reshape(x, [B, 1, T, 1])
  const row = (x: Tensor): Tensor => reshape(x, [B, 1, 1, T])
  let allowed = greaterEqual(i, j)
  if (segments) {
    allowed = and(allowed, or(equal(row(segments), 0), equal(row(segments), column(segments))))
    allowed = and(allowed, or(greaterEqual(row(segments), 0), equal(i, j)))
  }
  const distance = positions ? sub(column(positions), row(positions)) : sub(i, j)
  if (kind === 'local') allowed = and(allowed, less(distance, window))
  return where(allowed, constant(0), -1e9)
}

function attention(config: GptConfig, weight: Weights, x: Tensor, masked: Tensor): Tensor {
  const [B, T, C] = x.shape as readonly [number, number, number]
  const [H, D] = [config.heads, C / config.heads]
  const heads = (y: Tensor): Tensor => transpose(reshape(y, [B, T, H, D]), [0, 2, 1, 3]) // (B, H, T, D)
  const { q, k, v, output } = config.architecture === 'gpt2' ? fused(weight, x, C) : separate(weight, x)
  const scale = config.architecture === 'gpt2' ? 1 / Math.sqrt(D) : 1
  const scores = matmul(heads(q), heads(k), { transposeB: true, scale }) // (B, H, T, T)
  const shares = softmax(add(scores, masked))
  const mixed = transpose(matmul(shares, heads(v)), [0, 2, 1, 3]) // (B, T, H, D)
  return linear(weight, output, reshape(mixed, [B, T, C]))
}

interface Projected {
  readonly q: Tensor // (B, T, C) each
  readonly k: Tensor
  readonly v: Tensor
  readonly output: string
}

function fused(weight: Weights, x: Tensor, C: number): Projected {
  const qkv = linear(weight, 'attn.c_attn', x) // (B, T, 3C)
  const third = (n: number): Tensor => slice(qkv, [0, 0, n * C], [-1, -1, C])
  return { q: third(0), k: third(1), v: third(2), output: 'attn.c_proj' }
}

function separate(weight: Weights, x: Tensor): Projected {
  const project = (name: string): Tensor => matmul(x, weight(`attn.attention.${name}.weight`))
  return { q: project('q_proj'), k: project('k_proj'), v: project('v_proj'), output: 'attn.attention.out_proj' }
}

function mlp(weight: Weights, x: Tensor): Tensor {
  return linear(weight, 'mlp.c_proj', gelu(linear(weight, 'mlp.c_fc', x))) // (B, T, C) → (B, T, I) → (B, T, C)
}

function linear(weight: Weights, name: string, x: Tensor): Tensor {
  return add(matmul(x, weight(`${name}.weight`)), weight(`${name}.bias`))
}

function norm(config: GptConfig, weight: Weights, name: string, x: Tensor): Tensor {
  return layerNorm(x, weight(`${name}.weight`), weight(`${name}.bias`), config.epsilon)
}
