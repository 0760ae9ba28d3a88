import type { RunNode } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import { flatten, never, plus, unflatten, whole } from './coordinates.ts'

export type Product = Extract<RunNode, { op: 'matmul' }>

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

/** The place of a slice's first entry where the others follow it without a gap. */
function startOf(node: Extract<RunNode, { op: 'slice' }>): number | undefined {
  const { starts } = node.attributes
  const place = whole({ name: 'i', size: sizeOf(node.shape), depth: 0 })
  const at = unflatten(place, node.shape, never).map((one, axis) => plus(one, starts[axis]!))
  const { terms, offset } = flatten(at, node.inputs[0]!.shape)
  return terms.length === 0 || (terms.length === 1 && terms[0]!.factor === 1) ? offset : undefined
}
