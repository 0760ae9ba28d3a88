import { rules } from './rules.ts'
import type { Attributes, DType, Node, OpName, Shape, Tensor } from './tensor.ts'

type Kind = { readonly shape: Shape; readonly dtype: DType }

/** A node, its shape and dtype worked out by the op's rule. */
export function apply<N extends OpName>(op: N, inputs: readonly Tensor[], attributes: Attributes[N]): Tensor {
  const rule = rules[op] as (inputs: readonly Tensor[], attributes: Attributes[N]) => Kind
  const { shape, dtype } = rule(inputs, attributes)
  const node: Node<N> = { op, inputs, attributes, shape, dtype }
  return node as unknown as Tensor
}
