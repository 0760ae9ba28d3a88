import { apply } from '../../../graph/apply.ts'
import * as g from '../../../graph/index.ts'
import type { Graph, Node, RunNode, Tensor } from '../../../graph/index.ts'
import { isAttention, viewOf } from '../view.ts'
import { allowedBy, numberOf } from './allowed.ts'
import type { Allowed } from './allowed.ts'

/** Attention as a graph says it: in (B, H, T, D). */
interface Attention {
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
  readonly scale: number
  readonly mask: Tensor
  readonly allowed: Allowed
}

/**
 * The graph with kernels' ops in the place of attention and of its gradients, where their masks and widths are such as
 * kernels are written for. What only they needed, scores and shares, is gone.
 */
export function withAttention(graph: Graph): Graph {
  const made = new Map<Tensor, Tensor>()
  const replace = replacementsOf(graph)
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((from) => made.get(from)!)
    const same = inputs.every((x, i) => x === node.inputs[i])
    const replacement = replace.get(node)
    const now = (x: Tensor): Tensor => made.get(x)!
    made.set(node, replacement ? replacement(now) : same ? node : apply(node.op, inputs, node.attributes))
  }
  return replace.size === 0 ? graph : withPacked(renewed(graph, made))
}

function renewed(graph: Graph, made: ReadonlyMap<Tensor, Tensor>): Graph {
  const renamed = (parts: ReadonlyMap<string, RunNode>): Record<string, Tensor> =>
    Object.fromEntries([...parts].map(([name, node]) => [name, widened(made.get(node)!)]))
  return g.graph({ outputs: renamed(graph.outputs), updates: renamed(graph.updates) })
}

/** What is asked for is float32: where attention leaves it as bfloat16, an op of itself. */
const widened = (x: Tensor): Tensor => (isAttention(viewOf(x as RunNode).base) ? g.maximum(x, x) : x)

/** Gradients that are joined side by side, as a model's one projection to q, k and v needs them, are written there. */
function withPacked(graph: Graph): Graph {
  const made = new Map<Tensor, Tensor>()
  for (const node of graph.nodes) {
    const parts = node.op === 'concat' ? node.inputs.map(gradientIn) : []
    const inputs = node.inputs.map((from) => made.get(from)!)
    if (isPacked(node, parts)) {
      const { inputs: read, attributes } = parts[0]!
      const all = apply(
        'attentionGradient',
        read.map((from) => made.get(from)!),
        { ...attributes, of: 'all' },
      )
      made.set(node, g.reshape(all, node.shape))
    } else made.set(node, apply(node.op, inputs, node.attributes))
  }
  return renewed(graph, made)
}

type Gradient = Node<'attentionGradient'>

/** (B, T, H, D) as (B, T, H · D). */
const gradientIn = (x: Tensor): Gradient | undefined => {
  const [from] = x.inputs
  return x.op === 'reshape' && x.shape.length === 3 && from?.op === 'attentionGradient' ? from : undefined
}

function isPacked(node: RunNode, parts: readonly (Gradient | undefined)[]): parts is readonly Gradient[] {
  if (node.op !== 'concat' || node.attributes.axis !== 2 || node.shape.length !== 3 || parts.length !== 3) return false
  const order = ['q', 'k', 'v']
  return parts.every(
    (part, i) => part?.attributes.of === order[i] && part?.inputs.every((x, at) => x === parts[0]!.inputs[at]),
  )
}

/** What takes a node's place, of the new nodes in the place of those that it is made of. */
type Replacement = (now: (x: Tensor) => Tensor) => Tensor

function replacementsOf(graph: Graph): Map<RunNode, Replacement> {
  const users = usersOf(graph)
  const found = new Map<RunNode, Replacement>()
  const shares = graph.nodes.filter((node) => node.op === 'softmax')
  for (const one of shares) {
    const attention = attentionOf(one)
    const mixed = products(users.get(one), { a: one })
    for (const product of attention ? mixed : []) {
      const [, v] = product.inputs as readonly [Tensor, Tensor]
      const whole = { ...attention!, v }
      if (product.attributes.transposeA || product.attributes.transposeB || !fits(whole)) continue
      found.set(product, (now) => turned(valuesOf(whole, now)))
      for (const again of shares) addGradients(found, users, again, whole)
    }
  }
  return found
}

/** dq, dk and dv, where `shares` are those of this attention, whether computed once or anew. */
function addGradients(found: Map<RunNode, Replacement>, users: Users, shares: RunNode, whole: Attention): void {
  const own = attentionOf(shares)
  const areSame = own?.k === whole.k && own.scale === whole.scale && own.mask === whole.mask
  if (!areSame || unwaiting(own.q) !== unwaiting(whole.q)) return
  for (const dv of products(users.get(shares), { a: shares })) {
    const dy = dv.inputs[1]!
    if (!dv.attributes.transposeA || dv.attributes.transposeB) continue
    const slopes = slopesOf(users, shares, dy, whole.v)
    if (!slopes) continue
    const gradient =
      (of: 'q' | 'k' | 'v'): Replacement =>
      (now) =>
        turned(gradientOf(whole, dy, of, now))
    found.set(dv, gradient('v'))
    for (const product of products(users.get(slopes), { a: slopes })) {
      found.set(product, gradient(product.attributes.transposeA ? 'k' : 'q'))
    }
  }
}

/** P ∘ (dP − Σ P ∘ dP) with dP = dy·vᵀ, which has to be there, and used by products alone. */
function slopesOf(users: Users, shares: RunNode, dy: Tensor, v: Tensor): RunNode | undefined {
  const weighted = (users.get(shares) ?? []).find(
    (node) => node.op === 'mul' && node.inputs.some((x) => isProduct(x, dy, v)),
  )
  const slopes =
    weighted && (users.get(weighted) ?? []).find((node) => node.op === 'sub' && node.inputs[0] === weighted)
  return slopes && (users.get(slopes) ?? []).every(({ op }) => op === 'matmul') ? slopes : undefined
}

const isProduct = (x: Tensor, a: Tensor, b: Tensor): boolean =>
  x.op === 'matmul' && x.inputs[0] === a && x.inputs[1] === b && !x.attributes.transposeA && x.attributes.transposeB

function valuesOf({ q, k, v, scale, allowed }: Attention, now: (x: Tensor) => Tensor): Tensor {
  const { causal, window, others } = allowed
  const mask = others.length > 0 ? [others.map(now).reduce(g.and)] : []
  const read = [q, k, v].map((x) => tokens(now(unwaiting(x))))
  return apply('attention', [...read, ...mask], { scale, causal, window })
}

function gradientOf(whole: Attention, dy: Tensor, of: 'q' | 'k' | 'v', now: (x: Tensor) => Tensor): Tensor {
  const values = valuesOf(whole, now)
  const { inputs, attributes } = values as Node<'attention'>
  const logSum = apply('attentionLogSum', inputs, attributes)
  const read = [...inputs.slice(0, 3), values, logSum, tokens(now(dy)), ...inputs.slice(3)]
  return apply('attentionGradient', read, { ...attributes, of })
}

/** Of softmax(scale · q·kᵀ + mask), but for the values. */
function attentionOf(shares: RunNode): Omit<Attention, 'v'> | undefined {
  const [scores] = shares.inputs
  if (shares.op !== 'softmax' || scores?.op !== 'add' || scores.shape.length !== 4) return undefined
  const [product, mask] = scores.inputs as readonly [Tensor, Tensor]
  if (product.op !== 'matmul' || product.attributes.transposeA || !product.attributes.transposeB) return undefined
  const allowed = g.sameShape(product.shape, scores.shape) ? allowedBy(mask) : undefined
  const [q, k] = product.inputs as readonly [Tensor, Tensor]
  return allowed && { q, k, scale: product.attributes.scale, mask, allowed }
}

const widest = 128

function fits({ q, k, v, scale }: Attention): boolean {
  const width = q.shape.at(-1)!
  return (
    width % 16 === 0 && width <= widest && scale > 0 && g.sameShape(q.shape, k.shape) && g.sameShape(q.shape, v.shape)
  )
}

/** x, of what is x once something else is there. */
function unwaiting(x: Tensor): Tensor {
  if (x.op !== 'add') return x
  const [own, nothing] = x.inputs as readonly [Tensor, Tensor]
  return nothing.op === 'mul' && nothing.inputs.some((one) => numberOf(one) === 0) ? own : x
}

const swapped = [0, 2, 1, 3]
const turned = (x: Tensor): Tensor => g.transpose(x, swapped)
/** (B, H, T, D) as (B, T, H, D). */
const tokens = (x: Tensor): Tensor =>
  x.op === 'transpose' && g.sameShape(x.attributes.perm, swapped) ? x.inputs[0]! : turned(x)

type Users = ReadonlyMap<Tensor, readonly RunNode[]>

function usersOf(graph: Graph): Users {
  const users = new Map<Tensor, RunNode[]>()
  for (const node of graph.nodes)
    for (const from of new Set(node.inputs)) users.set(from, [...(users.get(from) ?? []), node])
  return users
}

const products = (nodes: readonly RunNode[] = [], { a }: { readonly a: Tensor }): (RunNode & Node<'matmul'>)[] =>
  nodes.filter((node): node is RunNode & Node<'matmul'> => node.op === 'matmul' && node.inputs[0] === a)
