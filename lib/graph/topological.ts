import type { Tensor } from './tensor.ts'

type Neighbours = (node: Tensor) => readonly Tensor[]

/**
 * The nodes that `roots` need, inputs first, depth-first: what one root needs comes together, so that intermediates are
 * freed early. `after` names nodes to go on with as soon as a node is done, before its users.
 * Iterative: the graphs of deep networks overflow a recursion.
 */
export function topological(
  roots: readonly Tensor[],
  inputsOf: Neighbours = (node) => node.inputs,
  after: Neighbours = () => [],
): Tensor[] {
  const order: Tensor[] = []
  const seen = new Set<Tensor>()
  const stack: { readonly node: Tensor; readonly inputs: readonly Tensor[]; next: number; done: boolean }[] = []
  const enter = (node: Tensor): void => {
    if (seen.has(node)) return
    seen.add(node)
    stack.push({ node, inputs: inputsOf(node), next: 0, done: false })
  }
  for (const root of roots) {
    enter(root)
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const input = top.inputs[top.next++]
      if (input) enter(input)
      else if (top.done) stack.pop()
      else {
        order.push(top.node)
        top.done = true
        for (const node of after(top.node)) enter(node)
      }
    }
  }
  return order
}
