import { derivatives } from './derivatives.ts'
import type { Pull } from './derivatives.ts'
import { add, constant, zeros } from './elementwise.ts'
import { describe, sameShape, sizeOf } from './tensor.ts'
import type { OpName, Node, Tensor } from './tensor.ts'
import { topological } from './topological.ts'

type AnyVjp = (dy: Tensor, node: Node<OpName>, y: Tensor, pull: Pull) => readonly (Tensor | undefined)[]

/** The derivative of a scalar with respect to each of `wrt`, by reverse accumulation. Zeros where it depends on none. */
export function grad(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (sizeOf(loss.shape) !== 1 || loss.dtype !== 'float32') {
    throw new Error(`Internal error: "grad" of ${describe(loss)}: expected a float32 scalar`)
  }
  return vjp([loss], [constant(1, loss.shape)], wrt)
}

/** Σ over outputs of cotangentᵀ · ∂output/∂w, for each w of `wrt`, in its shape. */
export function vjp(outputs: readonly Tensor[], cotangents: readonly Tensor[], wrt: readonly Tensor[]): Tensor[] {
  const sums = new Map<Tensor, Tensor>()
  const accumulate = (node: Tensor, cotangent: Tensor): void => {
    const before = sums.get(node)
    sums.set(node, before ? add(before, cotangent) : cotangent)
  }
  outputs.forEach((output, i) => {
    const cotangent = cotangents[i]
    if (!cotangent || !sameShape(cotangent.shape, output.shape)) {
      throw new Error(
        `Internal error: "vjp" of ${describe(output)} with ${cotangent ? describe(cotangent) : 'no'} cotangent`,
      )
    }
    accumulate(output, cotangent)
  })
  const order = topological(outputs)
  const relevant = dependents(order, wrt)
  for (const node of order.reverse()) {
    const dy = sums.get(node)
    if (!dy || !relevant.has(node)) continue
    const flows = (derivatives[node.op] as AnyVjp)(dy, node, node, pull)
    node.inputs.forEach((from, i) => {
      const flow = flows[i]
      if (flow && relevant.has(from)) accumulate(from, flow)
    })
  }
  return wrt.map((x) => sums.get(x) ?? zeros(x.shape))
}

const pull: Pull = (output, cotangent, wrt) => vjp([output], [cotangent], wrt)

/** The nodes of `order` through which something flows back to one of `wrt`. */
function dependents(order: readonly Tensor[], wrt: readonly Tensor[]): Set<Tensor> {
  const found = new Set<Tensor>(wrt)
  for (const node of order) {
    if (node.inputs.some((from) => found.has(from))) found.add(node)
  }
  return found
}
