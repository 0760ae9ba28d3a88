import type { DType, Graph, Node, RunNode } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import type { Element } from './device.ts'
import { inPlace, readBy } from './in-place.ts'
import { isGiven } from './is-given.ts'
import type { Kept } from './keep.ts'
import type { Chain, Layout } from './kernel.ts'
import type { Call } from './plan.ts'
import { spareRows, spreadRows } from './rows.ts'
import type { Step } from './schedule.ts'
import type { Place, Pointer, Rows, Storage } from './storage.ts'
import { viewOf } from './view.ts'
import type { View } from './view.ts'

/** Where every value of a schedule lies. */
export interface Homes {
  readonly layout: Layout
  readonly fault: Storage
  readonly inputs: ReadonlyMap<string, Storage>
  readonly constants: readonly Storage[]
  /** Copies of state that is an output, or another's new value, before it changes; of new values into state, at the end. */
  readonly before: readonly Call[]
  readonly after: readonly Call[]
  readonly state: (name: string, node: RunNode) => Storage
  readonly plain: (view: View) => Pointer
  /** As bfloat16. */
  readonly half: (view: View) => Pointer
  readonly output: (node: RunNode) => Pointer
  /** Where a kernel writes a node that it computes. */
  readonly into: (node: RunNode) => readonly Storage[]
}

/** `written`: the names of the state that changes. */
export function homes(graph: Graph, kept: Kept, steps: readonly Step[], written: ReadonlySet<string>): Homes {
  const state = stateHomes()
  const rows = spreadRows(steps, resultsOf(graph))
  const temporary: Temporary = (node, element = kept.narrow.has(node) ? 'bf16' : elementOf(node)) =>
    storageOf(node, { kind: 'temporary' }, element, rows.get(node))
  const plain = placed(graph, kept, steps, { state, temporary })
  const half = new Map(
    [...kept.half].map((node) => {
      const lasts = node.op === 'state' && !written.has(node.attributes.name)
      if (lasts) return [node, storageOf(node, { kind: 'copy', name: node.attributes.name }, 'bf16')]
      return [node, (kept.narrow.has(node) && plain.get(node)) || temporary(node, 'bf16')]
    }),
  )
  const { before, output } = saving(plain, written)
  for (const node of graph.outputs.values()) output(node)
  const after = [...graph.updates].flatMap(([name, node]): Call[] => {
    const [from, to] = [output(node), state(name, node)]
    return from.storage === to ? [] : [copy(from, to)]
  })
  const chains = new Map(steps.flatMap((step) => (step.kind === 'chain' ? [[step.node, chainOf(step.node)]] : [])))
  const fault: Storage = { element: 'i32', entries: 1, place: { kind: 'temporary' } }
  return {
    layout: { plain, chains, fault, isComputed: kept.isComputed },
    fault,
    inputs: new Map([...graph.inputs].map(([name, node]) => [name, plain.get(node)!])),
    constants: [...plain.values()].flatMap((storage) => (storage.place.kind === 'constant' ? [storage] : [])),
    before,
    after,
    state,
    plain: ({ base, offset }) => pointer(plain.get(base)!, offset),
    half: ({ base, offset }) => pointer(half.get(base)!, offset),
    output,
    into: (node) => {
      const both = [kept.isComputed(node) ? plain.get(node) : undefined, half.get(node)]
      return [...new Set(both.filter((one) => one !== undefined))]
    },
  }
}

/** One storage for each name. */
function stateHomes(): Homes['state'] {
  const known = new Map<string, Storage>()
  return (name, node) => {
    const storage = known.get(name) ?? storageOf(node, { kind: 'state', name })
    known.set(name, storage)
    return storage
  }
}

type Temporary = (node: RunNode, element?: Element) => Storage

/** Of every value that is in memory as it is: given ones, new values in place of the old, and temporaries. */
function placed(
  graph: Graph,
  kept: Kept,
  steps: readonly Step[],
  { state, temporary }: { readonly state: Homes['state']; readonly temporary: Temporary },
): Map<RunNode, Storage> {
  const plain = new Map<RunNode, Storage>()
  for (const node of graph.nodes) {
    if (node.op === 'state') plain.set(node, state(node.attributes.name, node))
    else if (isGiven(node)) plain.set(node, storageOf(node, givenPlace(node)))
  }
  for (const [name, node] of graph.updates) {
    const { base } = viewOf(node)
    if (!plain.has(base) && inPlace(graph, kept, steps, name, node)) plain.set(base, state(name, node))
  }
  for (const node of storedBy(graph, kept, steps)) {
    if (!plain.has(node) && !kept.sums.has(node)) plain.set(node, temporary(node))
  }
  for (const step of steps) {
    if (step.kind === 'matmul' && step.onto) plain.set(step.sum, plain.get(step.onto)!)
  }
  return plain
}

/** Where a result is at the end. State that will have changed by then is copied before anything runs. */
function saving(
  plain: ReadonlyMap<RunNode, Storage>,
  written: ReadonlySet<string>,
): { readonly before: Call[]; readonly output: Homes['output'] } {
  const before: Call[] = []
  const saved = new Map<RunNode, Storage>()
  const output = (node: RunNode): Pointer => {
    const { base, offset } = viewOf(node)
    if (base.op !== 'state' || !written.has(base.attributes.name)) return { storage: plain.get(base)!, offset }
    const storage = saved.get(base) ?? storageOf(base, { kind: 'temporary' })
    if (!saved.has(base)) before.push(copy({ storage: plain.get(base)!, offset: 0 }, storage))
    saved.set(base, storage)
    return { storage, offset }
  }
  return { before, output }
}

/** What other steps read of those that compute it, and what is asked for. */
function storedBy(graph: Graph, kept: Kept, steps: readonly Step[]): Set<RunNode> {
  const products = steps.flatMap((step) => (step.kind === 'matmul' && !step.onto ? [step.sum] : []))
  const attended = steps.flatMap((step) => (step.kind === 'attention' ? step.nodes : []))
  return new Set([...resultsOf(graph), ...products, ...attended, ...steps.flatMap((step) => [...readBy(step, kept)])])
}

/** What the program's outputs and new state are read from. */
const resultsOf = (graph: Graph): RunNode[] =>
  [...graph.outputs.values(), ...graph.updates.values()].map((node) => viewOf(node).base)

function givenPlace(node: RunNode): Place {
  if (node.op === 'input') return { kind: 'input', name: node.attributes.name }
  return { kind: 'constant', node: node as Node<'constant'> }
}

const elements = { float32: 'f32', int32: 'i32', bool: 'i32', float16: 'f16' } satisfies Record<DType, Element>
const elementOf = ({ dtype }: RunNode): Element => elements[dtype]

function storageOf(node: RunNode, place: Place, element: Element = elementOf(node), rows?: Rows): Storage {
  const size = sizeOf(node.shape)
  const spare = place.kind === 'input' || place.kind === 'constant' ? 0 : spareRows(node.shape)
  const pitch = rows?.pitch ?? node.shape.at(-1) ?? 1
  return { element, entries: rows ? (size / rows.width) * pitch : size, place, rows, spare: spare * pitch }
}

/** To the entry at a place of the tensor: where rows lie apart, to the first of one. */
function pointer(storage: Storage, place: number): Pointer {
  const { width, pitch } = storage.rows ?? { width: 1, pitch: 1 }
  return { storage, offset: (place / width) * pitch }
}

function chainOf(node: Extract<RunNode, { op: 'scatterAdd' }>): Chain {
  const linked = (entries: number): Storage => ({ element: 'i32', entries, place: { kind: 'temporary' } })
  return { first: linked(node.attributes.rows), next: linked(sizeOf(node.inputs[0]!.shape)) }
}

const copy = (from: Pointer, storage: Storage): Call => ({
  kind: 'copy',
  from,
  to: { storage, offset: 0 },
  entries: storage.entries,
})
