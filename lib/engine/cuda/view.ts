import type { Node, RunNode } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import { apart, flatten, never, plus, unflatten, whole } from './coordinates.ts'
import type { Coordinate } from './coordinates.ts'

export type Product = Extract<RunNode, { op: 'matmul' }>

/** What one kernel of attention makes, a part of it each. */
export type AttentionNode = RunNode & (Node<'attention'> | Node<'attentionLogSum'> | Node<'attentionGradient'>)
export const isAttention = (node: RunNode): node is AttentionNode =>
  node.op === 'attention' || node.op === 'attentionLogSum' || node.op === 'attentionGradient'

export const areMadeTogether = (a: AttentionNode, b: AttentionNode): boolean =>
  (a.op === 'attentionGradient') === (b.op === 'attentionGradient') &&
  a.attributes.scale === b.attributes.scale &&
  a.attributes.causal === b.attributes.causal &&
  a.attributes.window === b.attributes.window &&
  a.inputs.length === b.inputs.length &&
  a.inputs.every((x, i) => x === b.inputs[i])

/** What is computed as it goes, not read: its mask. */
export const maskOf = ({ inputs }: AttentionNode): RunNode | undefined =>
  (inputs as readonly RunNode[]).find(({ dtype }) => dtype === 'bool')

/** Of what it takes, what it reads as tokens: all but log-sums and a mask. */
export const tokensRead = ({ inputs }: AttentionNode): readonly TokensView[] =>
  (inputs as readonly RunNode[]).filter(({ op, dtype }) => op !== 'attentionLogSum' && dtype !== 'bool').map(tokensOf)

/** A node whose entries lie one behind another in those of another. */
export interface View {
  readonly base: RunNode
  /** In entries. */
  readonly offset: number
}

/** Where a node is only another shape, or adjacent entries, of one that is not. */
export function viewOf(node: RunNode): View {
  let [base, offset] = [node, 0]
  for (;;) {
    const [from] = base.inputs as readonly RunNode[]
    const start = base.op === 'reshape' ? 0 : base.op === 'slice' ? startOf(base) : undefined
    if (start === undefined || !from) return { base, offset }
    offset += start
    base = from
  }
}

/** What a product may start at: 16 bytes of float32, or of bfloat16. */
const alignment = 8

/** The same for an operand of a product, which starts at a multiple of some entries or is copied. */
export function operandOf(node: RunNode): View {
  const view = viewOf(node)
  if (view.offset % alignment === 0) return view
  let base = node
  while (base.op === 'reshape') base = base.inputs[0] as RunNode
  return { base, offset: 0 }
}

/** What attention reads: tokens, each of which begins `pitch` entries after the one before. */
export interface TokensView extends View {
  readonly pitch: number
}

/** Where (B, T, H, D) is in memory as another node has it; a node of its own where its tokens lie in no row there. */
export function tokensOf(node: RunNode): TokensView {
  const [rows, length, heads, width] = node.shape as readonly [number, number, number, number]
  const each = heads * width
  const i = { name: 'i', size: rows * length * each, depth: 0 }
  let found: TokensView = { base: node, offset: 0, pitch: each }
  let [base, place] = [node, whole(i)]
  while (base.op === 'reshape' || base.op === 'slice') {
    const from = base.inputs[0] as RunNode
    const at = apart(place, base.shape)
    if (!at) break
    const { op, attributes } = base
    place =
      op === 'reshape'
        ? place
        : flatten(
            at.map((one, axis) => plus(one, attributes.starts[axis]!)),
            from.shape,
          )
    base = from
    const pitch = pitchOf(place, each, rows * length)
    if (pitch !== undefined && (pitch | place.offset) % alignment === 0) found = { base, offset: place.offset, pitch }
  }
  return found
}

/** Of a place that counts `each` entries of a token, and then the tokens. */
function pitchOf({ terms }: Coordinate, each: number, tokens: number): number | undefined {
  if (terms.length === 1 && terms[0]!.factor === 1 && terms[0]!.length === each * tokens) return each
  const [outer, inner] = terms
  const isRow = inner?.stride === 1 && inner.length === each && inner.factor === 1
  return terms.length === 2 && isRow && outer!.stride === each && outer!.length === tokens ? outer!.factor : undefined
}

/** The place of a slice's first entry where the others follow it without a gap. */
function startOf(node: Extract<RunNode, { op: 'slice' }>): number | undefined {
  const { starts } = node.attributes
  const place = whole({ name: 'i', size: sizeOf(node.shape), depth: 0 })
  const at = unflatten(place, node.shape, never).map((one, axis) => plus(one, starts[axis]!))
  const { terms, offset } = flatten(at, node.inputs[0]!.shape)
  return terms.length === 0 || (terms.length === 1 && terms[0]!.factor === 1) ? offset : undefined
}
