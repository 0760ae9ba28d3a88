import { rules } from './rules.ts'
import { mismatch } from './shapes.ts'
import type { Attributes, DType, Node, OpName, Shape, Tensor } from './tensor.ts'

type Kind = { readonly shape: Shape; readonly dtype: DType }

/** A node, its shape and dtype worked out by the op's rule. */
export function apply<N extends OpName>(op: N, inputs: readonly Tensor[], attributes: Attributes[N]): Tensor {
  const rule = rules[op] as (inputs: readonly Tensor[], attributes: Attributes[N]) => Kind
  if (op !== 'cast' && inputs.some((from) => from.dtype === 'float16')) mismatch(op, inputs, 'float16 is cast first')
  const { shape, dtype } = rule(inputs, attributes)
  const node: Node<N> = { op, inputs, attributes, shape, dtype }
  return node as unknown as Tensor
}
