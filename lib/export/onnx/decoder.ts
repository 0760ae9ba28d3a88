import type { GraphProto } from '../../engine/onnx/proto.ts'
import { valueInfo } from '../../engine/onnx/writer.ts'
import type { BorderType, Writer } from '../../engine/onnx/writer.ts'
import type { GptConfig } from '../../model/config.ts'
import { headWeight } from '../../model/gpt.ts'

// B batch · T new tokens · P tokens of the past · S = P + T · C width · H heads · D width of a head · V vocabulary
const [B, T, P, S] = ['batch_size', 'sequence_length', 'past_sequence_length', 'total_sequence_length']

/** A weight's name in the graph, by its name within its layer. */
type Names = (name: string) => string

/**
 * The model of lib/model/gpt.ts with a past, in standard ops with lengths known when it runs. Inputs and outputs are those
 * that transformers.js feeds and reads in `text-generation` (its decoder_forward): input_ids (B, T), attention_mask (B, S)
 * and position_ids (B, T) int64, past_key_values.N.key and .value (B, H, P, D), of which P may be 0; logits (B, T, V),
 * present.N.key and .value (B, H, S, D). The weights, matrices as (in, out), must be in the writer under their names.
 */
export function writeDecoder(config: GptConfig, w: Writer): GraphProto {
  const kinds = [...new Set(config.attention)]
  const masks = new Map(kinds.map((kind) => [kind, mask(w, kind === 'local' ? config.window : undefined)]))
  let x = embed(w) // (B, T, C)
  for (let layer = 0; layer < config.layers; layer++) {
    const block: Names = (name) => `transformer.h.${layer}.${name}`
    const mixed = attention(config, w, layer, norm(config, w, block('ln_1'), x), masks.get(config.attention[layer]!)!)
    x = w.emit('Add', [x, mixed])
    x = w.emit('Add', [x, mlp(w, block, norm(config, w, block('ln_2'), x))])
  }
  logits(config, w, norm(config, w, 'transformer.ln_f', x))
  return w.finish('decoder', border(config, 'in'), border(config, 'out'))
}

function border({ layers, heads, width, vocabSize }: GptConfig, side: 'in' | 'out'): ReturnType<typeof valueInfo>[] {
  const int = (...shape: string[]): BorderType => ({ shape, dtype: 'int64' })
  const float = (...shape: (number | string)[]): BorderType => ({ shape, dtype: 'float32' })
  const own = {
    in: { input_ids: int(B, T), attention_mask: int(B, S), position_ids: int(B, T) },
    out: { logits: float(B, T, vocabSize) },
  }
  const [prefix, length] = side === 'in' ? ['past_key_values', P] : ['present', S]
  const cache = Array.from({ length: layers }, (_, layer) => [`${prefix}.${layer}.key`, `${prefix}.${layer}.value`])
  return [
    ...Object.entries(own[side]).map(([name, type]) => valueInfo(name, type)),
    ...cache.flat().map((name) => valueInfo(name, float(B, heads, length, width / heads))),
  ]
}

function embed(w: Writer): string {
  const rows = (table: string, ids: string): string => w.emit('Gather', [`transformer.${table}.weight`, ids])
  return w.emit('Add', [rows('wte', 'input_ids'), rows('wpe', 'position_ids')])
}

/** 0 where token i of all S may attend to j, else −1e9, whose exp is exactly 0: (B, 1, T, S). */
function mask(w: Writer, window?: number): string {
  const [all, fresh] = [lengthOf(w, 'attention_mask'), lengthOf(w, 'input_ids')]
  const [zero, one] = [scalar(w, 0), scalar(w, 1)]
  const j = w.emit('Range', [zero, all, one]) // (S)
  const i = w.emit('Unsqueeze', [w.emit('Range', [w.emit('Sub', [all, fresh]), all, one]), w.ints([1])]) // (T, 1)
  const seen = w.emit('Greater', [w.emit('Unsqueeze', ['attention_mask', w.ints([1, 2])]), zero]) // (B, 1, 1, S)
  let allowed = w.emit('And', [w.emit('GreaterOrEqual', [i, j]), seen])
  if (window !== undefined) {
    const near = w.emit('Less', [w.emit('Sub', [i, j]), scalar(w, window)])
    allowed = w.emit('And', [allowed, near])
  }
  return w.emit('Where', [allowed, w.float(0), w.float(-1e9)])
}

const scalar = (w: Writer, value: number): string => w.constant('int64', [], BigInt64Array.of(BigInt(value)))

const lengthOf = (w: Writer, rows: string): string => w.emit('Gather', [w.emit('Shape', [rows]), scalar(w, 1)])

function attention(config: GptConfig, w: Writer, layer: number, x: string, masked: string): string {
  const [C, H, D] = [config.width, config.heads, config.width / config.heads]
  const block: Names = (name) => `transformer.h.${layer}.attn.${name}`
  const { q, k, v, output } = config.architecture === 'gpt2' ? fused(w, block, x, D) : separate(w, block, x)
  const heads = (y: string): string => permute(w, w.emit('Reshape', [y, w.ints([0, 0, H, D])]), [0, 2, 1, 3])
  const withPast = (part: string, y: string): string =>
    w.emit('Concat', [`past_key_values.${layer}.${part}`, heads(y)], {
      attributes: { axis: 2 },
      name: `present.${layer}.${part}`,
    }) // (B, H, S, D)
  const scores = w.emit('MatMul', [heads(q), permute(w, withPast('key', k), [0, 1, 3, 2])]) // (B, H, T, S)
  const shares = w.emit('Softmax', [w.emit('Add', [scores, masked])], { attributes: { axis: -1 } })
  const mixed = permute(w, w.emit('MatMul', [shares, withPast('value', v)]), [0, 2, 1, 3]) // (B, T, H, D)
  return linear(w, output, w.emit('Reshape', [mixed, w.ints([0, 0, C])]))
}

interface Projected {
  readonly q: string // (B, T, C) each
  readonly k: string
  readonly v: string
  readonly output: string
}

/** The scores' scale 1/√D is the queries' here. */
function fused(w: Writer, block: Names, x: string, D: number): Projected {
  const qkv = linear(w, block('c_attn'), x) // (B, T, 3C)
  const parts = w.emitAll('Split', [qkv], { attributes: { axis: -1, num_outputs: 3 }, outputs: 3 })
  const [q, k, v] = parts as readonly [string, string, string]
  return { q: w.emit('Mul', [q, w.float(1 / Math.sqrt(D))]), k, v, output: block('c_proj') }
}

/** GPT-Neo's have no bias, and its scores no scale. */
function separate(w: Writer, block: Names, x: string): Projected {
  const project = (name: string): string => w.emit('MatMul', [x, `${block(`attention.${name}`)}.weight`])
  return { q: project('q_proj'), k: project('k_proj'), v: project('v_proj'), output: block('attention.out_proj') }
}

function mlp(w: Writer, block: Names, x: string): string {
  const inner = w.emit('Gelu', [linear(w, block('mlp.c_fc'), x)], { attributes: { approximate: 'tanh' } })
  return linear(w, block('mlp.c_proj'), inner)
}

/** As one product of matrices: the head is then taken as it is stored, and may be the embedding's own tensor. */
function logits(config: GptConfig, w: Writer, x: string): void {
  const flat = w.emit('Reshape', [x, w.ints([-1, config.width])]) // (B·T, C)
  const rows = w.emit('Gemm', [flat, headWeight(config)], { attributes: { transB: 1 } })
  const shape = w.emit('Concat', [w.emit('Shape', ['input_ids']), w.ints([config.vocabSize])], {
    attributes: { axis: 0 },
  })
  w.emit('Reshape', [rows, shape], { name: 'logits' })
}

function linear(w: Writer, name: string, x: string): string {
  return w.emit('Add', [w.emit('MatMul', [x, `${name}.weight`]), `${name}.bias`])
}

function norm({ epsilon }: GptConfig, w: Writer, name: string, x: string): string {
  const attributes = { axis: -1, epsilon: { float: epsilon } }
  return w.emit('LayerNormalization', [x, `${name}.weight`, `${name}.bias`], { attributes })
}

const permute = (w: Writer, x: string, perm: readonly number[]): string =>
  w.emit('Transpose', [x], { attributes: { perm } })
