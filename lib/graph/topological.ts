import { sizeOf } from './tensor.ts'
import type { Tensor } from './tensor.ts'

type Neighbours = (node: Tensor) => readonly Tensor[]

/** The nodes that `roots` need, inputs first, depth-first. Iterative: deep networks overflow a recursion. */
export function topological(roots: readonly Tensor[], inputsOf: Neighbours = (node) => node.inputs): Tensor[] {
  return walk(roots, inputsOf, () => [])
}

/**
 * The same in an order that frees memory early: what uses a large tensor is computed right after it, unless that needs
 * another large one first. A loss over the vocabulary, unrolled in chunks, so goes on chunk by chunk, loss and gradients,
 * however its terms are added up.
 */
export function memoryOrder(roots: readonly Tensor[]): Tensor[] {
  const plain = topological(roots)
  const users = new Map<Tensor, Tensor[]>()
  for (const node of plain) for (const from of new Set(node.inputs)) users.set(from, [...(users.get(from) ?? []), node])
  const sizes = plain.map((node) => (node.inputs.length === 0 ? 0 : sizeOf(node.shape)))
  const large = sizes.reduce((most, size) => Math.max(most, size), 0) / 4
  const isLarge = (node: Tensor): boolean => node.inputs.length > 0 && sizeOf(node.shape) >= large
  return walk(
    roots,
    (node) => node.inputs,
    (node, state) => (isLarge(node) ? (users.get(node) ?? []).filter((user) => !mustWait(user, state, isLarge)) : []),
  )
}

/** What was computed, and what was begun: the nodes of the second that are not in the first wait for their inputs. */
interface State {
  readonly done: ReadonlySet<Tensor>
  readonly seen: ReadonlySet<Tensor>
}

/** Whether something that waits itself, something large, or a good deal that is small has to come before `node`. */
function mustWait(node: Tensor, { done, seen }: State, isLarge: (node: Tensor) => boolean): boolean {
  const open = new Set<Tensor>()
  const stack = [node]
  for (let top = stack.pop(); top; top = stack.pop()) {
    for (const from of top.inputs) {
      if (done.has(from) || open.has(from)) continue
      open.add(from)
      if (seen.has(from) || isLarge(from) || open.size > 32) return true
      stack.push(from)
    }
  }
  return false
}

type After = (node: Tensor, state: State) => readonly Tensor[]

/** `after` names the nodes to go on with as soon as a node is done. */
function walk(roots: readonly Tensor[], inputsOf: Neighbours, after: After): Tensor[] {
  const order: Tensor[] = []
  const done = new Set<Tensor>()
  const seen = new Set<Tensor>()
  const stack: { readonly node: Tensor; readonly inputs: readonly Tensor[]; next: number }[] = []
  const enter = (node: Tensor): void => {
    if (seen.has(node)) return
    seen.add(node)
    stack.push({ node, inputs: inputsOf(node), next: 0 })
  }
  for (const root of roots) {
    enter(root)
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const input = top.inputs[top.next++]
      if (input) {
        enter(input)
        continue
      }
      if (!done.has(top.node)) order.push(top.node)
      done.add(top.node)
      const next = after(top.node, { done, seen }).find((node) => !seen.has(node))
      if (next) enter(next)
      else stack.pop()
    }
  }
  return order
}
