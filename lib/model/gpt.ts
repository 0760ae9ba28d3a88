import {
  add,
  and,
  concat,
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
  recomputed,
  reshape,
  sizeOf,
  slice,
  softmax,
  sub,
  transpose,
  where,
} from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import type { Attention, GptConfig } from './config.ts'
import { inLayer, nothingDropped } from './dropout.ts'
import type { Drop } from './dropout.ts'

// B batch · T tokens in a row · P places for earlier ones · C width · H heads · D width of a head (C / H) · I inner width of
// the MLP · V vocabulary

/** A weight by its name in the checkpoint; matrices are (in, out), the embeddings (rows, C). */
export type Weights = (name: string) => Tensor

export interface Batch {
  /** (B, T) int32 */
  readonly tokens: Tensor
  /** (B, T) int32: rows of the position table; 0, 1, 2 … where not given. */
  readonly positions?: Tensor
  /** (B, T) int32: 0 is seen by all that follow, another number only by its like, −1 (padding) by nobody. */
  readonly segments?: Tensor
  /** (B, T) int32: only what has the same number is seen; all of a row where not given. */
  readonly documents?: Tensor
  /** In training: of the embedding, the shares, and what attention and MLP add. */
  readonly drop?: Drop
}

/** What a layer keeps of tokens for those that follow. */
export interface Kept {
  readonly keys: Tensor // (B, H, T, D) each
  readonly values: Tensor
}

/** What was kept of earlier tokens: (B, H, P, D) a layer, of whose P places the first `length` hold a token. */
export interface Past {
  readonly layers: readonly Kept[]
  /** () int32 */
  readonly length: Tensor
}

/**
 * GPT-2 (Radford et al. 2019) and GPT-Neo (Black et al. 2021) up to the final layer norm: (B, T, C).
 * GPT-Neo differs: attention is not scaled by 1/√D, queries, keys and values have no bias, and `local` layers see a
 * window of positions.
 */
export const gpt = (config: GptConfig, weight: Weights, batch: Batch): Tensor => gptInside(config, weight, batch).hidden

/** What comes out of the embedding and the first `layers` layers: (B, T, C). */
export const gptBelow = (config: GptConfig, weight: Weights, batch: Batch, layers: number): Tensor =>
  through(config, weight, batch, embed(weight, batch), [0, layers]).states.at(-1)!

/** The rest of the model, given what came out of the first `layers` layers; of these it holds nothing. */
export const gptAbove = (config: GptConfig, weight: Weights, batch: Batch, layers: number, x: Tensor): Inside =>
  withHidden(config, weight, through(config, weight, batch, x, [layers, config.layers]))

/** The same for tokens (B, T) that follow earlier ones, as if in one row with them; and what is kept of them. */
export function gptAfter(config: GptConfig, weight: Weights, tokens: Tensor, past: Past): Inside {
  const positions = add(iota(tokens.shape, 1), past.length) // (B, T)
  return gptInside(config, weight, { tokens, positions }, past)
}

export interface Inside {
  readonly hidden: Tensor // (B, T, C)
  readonly kept: readonly Kept[]
  /** (B, T, C): what comes out of the embedding, and of each layer. */
  readonly states: readonly Tensor[]
  /** Of each layer: to whom each token attends, (B, H, T, T) or (B, H, T, P + T), before any is dropped. */
  readonly shares: readonly Tensor[]
}

/** The same as `gpt`, and what is on the way there; nothing is computed that nobody asks for. */
export const gptInside = (config: GptConfig, weight: Weights, batch: Batch, past?: Past): Inside =>
  withHidden(config, weight, through(config, weight, batch, embed(weight, batch), [0, config.layers], past))

const withHidden = (config: GptConfig, weight: Weights, inside: Omit<Inside, 'hidden'>): Inside => ({
  ...inside,
  hidden: finalNorm(config, weight, inside.states.at(-1)!),
})

/** From the first layer of a range up to its end, which is not of it. */
function through(
  config: GptConfig,
  weight: Weights,
  batch: Batch,
  x: Tensor,
  [first, end]: readonly [number, number],
  past?: Past,
): Omit<Inside, 'hidden'> {
  const masks = { global: maskOf(config, 'global', batch, past), local: maskOf(config, 'local', batch, past) }
  const [kept, shares]: [Kept[], Tensor[]] = [[], []]
  const states = [x]
  for (let layer = first; layer < end; layer++) {
    const own: Weights = (name) => weight(`transformer.h.${layer}.${name}`)
    const drop = batch.drop && inLayer(batch.drop, layer)
    const after = block(config, own, states.at(-1)!, masks[config.attention[layer]!], {
      past: past?.layers[layer],
      drop,
    })
    kept.push(after.kept)
    shares.push(after.shares)
    states.push(after.x)
  }
  return { kept, states, shares }
}

/** The output head (V, C): logits are hidden · headᵀ. */
export const headOf = (config: GptConfig, weight: Weights): Tensor => weight(headWeight(config))

/** The token embedding, unless the checkpoint has a head of its own. */
export const headWeight = ({ tied }: GptConfig): string => (tied ? 'transformer.wte.weight' : 'lm_head.weight')

/** Tokens and their places: (B, T, C). */
export function embed(weight: Weights, { tokens, positions, drop = nothingDropped }: Batch): Tensor {
  const [, T] = tokens.shape
  const table = weight('transformer.wpe.weight') // (context, C)
  const places = positions ? gather(table, positions) : slice(table, [0, 0], [T!, -1]) // (B, T, C) or (T, C)
  return drop('embedding', add(gather(weight('transformer.wte.weight'), tokens), places))
}

/** One layer, its weights named as within `transformer.h.N`: (B, T, C) to (B, T, C), and what it keeps. */
export function block(config: GptConfig, weight: Weights, x: Tensor, masked: Tensor, beside: Beside = {}): Block {
  const { drop = nothingDropped } = beside
  const { mixed, kept, shares } = attention(config, weight, norm(config, weight, 'ln_1', x), masked, beside)
  const attended = add(x, drop('output', mixed))
  const made = mlp(config, weight, norm(config, weight, 'ln_2', attended))
  return { x: add(attended, drop('mlp', made)), kept, shares }
}

interface Beside {
  readonly past?: Kept | undefined
  readonly drop?: Drop | undefined
}

interface Block {
  readonly x: Tensor
  readonly kept: Kept
  readonly shares: Tensor
}

export const finalNorm = (config: GptConfig, weight: Weights, x: Tensor): Tensor =>
  norm(config, (name) => weight(`transformer.${name}`), 'ln_f', x)

/** 0 where i may attend to j, else −1e9, whose exp is exactly 0: (B or 1, 1, T, P + T), without P where nothing is past. */
export function maskOf(config: GptConfig, kind: Attention, batch: Batch, past?: Past): Tensor {
  const window = kind === 'local' ? config.window : undefined
  const own = where(sees(batch, window), constant(0), -1e9)
  if (!past) return own
  const [T, P] = [batch.tokens.shape[1]!, past.layers[0]!.keys.shape[2]!]
  const j = iota([1, 1, T, P], 3)
  const distance = sub(add(iota([1, 1, T, P], 2), past.length), j)
  const held = less(j, past.length)
  const allowed = window === undefined ? held : and(held, less(distance, window))
  return concat([where(allowed, constant(0), -1e9), own], 3)
}

/** Which tokens of a row see which: (B or 1, 1, T, T) bool. Padding sees itself: no row is empty. */
function sees({ tokens, positions, segments, documents }: Batch, window: number | undefined): Tensor {
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
  if (documents) allowed = and(allowed, equal(row(documents), column(documents)))
  const distance = positions ? sub(column(positions), row(positions)) : sub(i, j)
  return window === undefined ? allowed : and(allowed, less(distance, window))
}

function attention(
  config: GptConfig,
  weight: Weights,
  x: Tensor,
  masked: Tensor,
  beside: Beside,
): { readonly mixed: Tensor; readonly kept: Kept; readonly shares: Tensor } {
  const [B, T, C] = x.shape as readonly [number, number, number]
  const [H, D] = [config.heads, C / config.heads]
  const heads = (y: Tensor): Tensor => transpose(reshape(y, [B, T, H, D]), [0, 2, 1, 3]) // (B, H, T, D)
  const { q, k, v, output } = config.architecture === 'gpt2' ? fused(weight, x, C) : separate(weight, x)
  const kept = { keys: heads(k), values: heads(v) }
  const scale = config.architecture === 'gpt2' ? 1 / Math.sqrt(D) : 1
  const { values, shares } = attend(config, scale, heads(q), kept, masked, beside)
  const mixed = transpose(values, [0, 2, 1, 3]) // (B, T, H, D)
  return { mixed: linear(weight, output, reshape(mixed, [B, T, C])), kept, shares }
}

interface Attended {
  readonly values: Tensor // (B, H, T, D)
  readonly shares: Tensor // (B, H, T, P + T)
}

/** What is past is not joined to the rest, which would copy it in each run: the scores of the two are. */
function attend(
  { layers }: GptConfig,
  scale: number,
  q: Tensor,
  own: Kept,
  masked: Tensor,
  { past, drop = nothingDropped }: Beside,
): Attended {
  const scores = (of: Tensor, keys: Tensor): Tensor => matmul(of, keys, { transposeB: true, scale })
  if (!past) {
    const sharesOf = (of: Tensor, keys: Tensor): Tensor => softmax(add(scores(of, keys), masked))
    const mix = (of: Tensor, keys: Tensor, values: Tensor): Tensor =>
      matmul(drop('attention', sharesOf(of, keys), of), values)
    const floats = layers * sizeOf(masked.shape.slice(2)) * sizeOf(q.shape.slice(0, 2))
    return { values: sparing(floats, [q, own.keys, own.values], mix), shares: sharesOf(q, own.keys) }
  }
  const P = past.keys.shape[2]!
  const shares = softmax(add(concat([scores(q, past.keys), scores(q, own.keys)], 3), masked)) // (B, H, T, P + T)
  const part = (start: number, size: number): Tensor => slice(shares, [0, 0, 0, start], [-1, -1, -1, size])
  return { values: add(matmul(part(0, P), past.values), matmul(part(P, -1), own.values)), shares }
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

function mlp({ layers }: GptConfig, weight: Weights, x: Tensor): Tensor {
  const inner = linear(weight, 'mlp.c_fc', x) // (B, T, I)
  const project = (of: Tensor, matrix: Tensor): Tensor => matmul(gelu(of), matrix)
  const projected = sparing(layers * sizeOf(inner.shape), [inner, weight('mlp.c_proj.weight')], project)
  return add(projected, weight('mlp.c_proj.bias')) // (B, T, C)
}

/** Where all layers would keep more bytes than that of one kind of tensor for the derivative, it is computed again. */
const mostKept = 2 ** 28

/** fn(inputs), which keeps so many floats in all layers. */
const sparing = (floats: number, inputs: readonly Tensor[], fn: (...inputs: readonly Tensor[]) => Tensor): Tensor =>
  4 * floats > mostKept ? recomputed(inputs, fn) : fn(...inputs)

function linear(weight: Weights, name: string, x: Tensor): Tensor {
  return add(matmul(x, weight(`${name}.weight`)), weight(`${name}.bias`))
}

function norm(config: GptConfig, weight: Weights, name: string, x: Tensor): Tensor {
  return layerNorm(x, weight(`${name}.weight`), weight(`${name}.bias`), config.epsilon)
}
