import type { Graph, RunNode } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import { splitPatches } from '../kernel/patches.ts'
import type { Patch } from '../kernel/patches.ts'
import { attend } from './attention/attend.ts'
import { withAttention } from './attention/find.ts'
import { arena } from './arena.ts'
import type { Arena } from './arena.ts'
import type { MatmulShape } from './device.ts'
import { batched } from './batch.ts'
import { roundedUp } from './extents.ts'
import { homes } from './homes.ts'
import type { Homes } from './homes.ts'
import { keep } from './keep.ts'
import type { CudaPrecision } from '../precision.ts'
import { writeKernel } from './kernel.ts'
import type { KernelSource } from './kernel.ts'
import { lower } from './lower.ts'
import { writeChain, writePatch } from './placing.ts'
import { schedule } from './schedule.ts'
import type { MatmulStep, Step } from './schedule.ts'
import { bytesOf } from './storage.ts'
import type { Pointer, Storage } from './storage.ts'
import { operandOf, viewOf } from './view.ts'

/** One call of the device. */
export type Call =
  | { readonly kind: 'launch'; readonly source: KernelSource; readonly nodes: readonly RunNode[] }
  | {
      readonly kind: 'multiply'
      readonly shape: MatmulShape
      readonly a: Pointer
      readonly b: Pointer
      readonly c: Pointer
      readonly bias: Pointer | undefined
      /** Where it reads what pads the rows and columns. */
      readonly padded: readonly Storage[]
    }
  | { readonly kind: 'clear'; readonly storage: Storage }
  | { readonly kind: 'clear pads'; readonly storage: Storage }
  | { readonly kind: 'copy'; readonly from: Pointer; readonly to: Pointer; readonly entries: number }

/** All that a run of a graph does on the device; nothing here has touched one. */
export interface Plan {
  /** To be made before the others where a memory's copies are not of what it holds now. */
  readonly preparation: readonly Call[]
  readonly calls: readonly Call[]
  /** In bfloat16, of state that does not change. */
  readonly copies: readonly Storage[]
  readonly inputs: ReadonlyMap<string, Storage>
  readonly outputs: ReadonlyMap<string, { readonly node: RunNode; readonly from: Pointer }>
  /** State that is read or written. */
  readonly state: ReadonlyMap<string, { readonly node: RunNode; readonly storage: Storage }>
  readonly constants: readonly Storage[]
  /** An int that is 1 after a run in which an index lay outside; undefined where none can. */
  readonly fault: Storage | undefined
  /** Of temporaries and inputs. */
  readonly arena: Arena
  readonly offsets: ReadonlyMap<Storage, number>
}

/**
 * graph → fewer kinds of ops (`lower`) → what is kept in memory (`keep`) → steps (`schedule`) → where values lie (`homes`)
 * → calls with their sources, and an arena for what they touch.
 */
export function plan(graph: Graph, precision: CudaPrecision): Plan {
  const lowered = lower(withAttention(graph))
  const { rest, patches } = splitPatches(lowered)
  const kept = keep(rest, precision)
  const steps = schedule(rest, kept)
  const written = new Set(lowered.updates.keys())
  const home = homes(rest, kept, steps, written)
  const calls = callsOf(rest, steps, home, precision, patches)
  const outputs = new Map(
    [...graph.outputs].map(([name, node]) => [name, { node, from: home.output(rest.outputs.get(name)!) }] as const),
  )
  const state = new Map(
    [...rest.state, ...lowered.updates].map(([name, node]) => [name, { node, storage: home.state(name, node) }]),
  )
  const fault = calls.some((call) => touches(call).includes(home.fault)) ? home.fault : undefined
  const preparation = calls.filter(isPreparation)
  const others = calls.filter((call) => !isPreparation(call))
  const all = batched(fault ? [{ kind: 'clear', storage: fault }, ...others] : others)
  const lasting = [...outputs.values()].map(({ from }) => from.storage)
  return {
    preparation: batched(preparation),
    copies: [...new Set(calls.flatMap(touches))].filter(isCopy),
    calls: all,
    inputs: home.inputs,
    outputs,
    state,
    constants: home.constants,
    fault,
    ...laidOut(all, home, lasting),
  }
}

/** Whether all that it writes lasts. */
function isPreparation(call: Call): boolean {
  const writes = call.kind === 'launch' ? [...(call.source.writes ?? [])] : []
  return writes.length > 0 && writes.every(isCopy)
}

const isCopy = ({ place }: Storage): boolean => place.kind === 'copy'

function callsOf(
  graph: Graph,
  steps: readonly Step[],
  home: Homes,
  precision: CudaPrecision,
  patches: readonly Patch[],
): Call[] {
  const calls = steps.flatMap((step): Call[] => {
    if (step.kind === 'matmul') return [multiply(step, home, precision)]
    if (step.kind === 'attention') return attend(step, home, precision)
    if (step.kind === 'chain') {
      const chain = home.layout.chains.get(step.node)!
      const ids = home.plain(viewOf(step.node.inputs[0] as RunNode))
      const source = writeChain(ids, chain, home.layout.fault, step.node)
      return [
        { kind: 'clear', storage: chain.first },
        { kind: 'launch', source, nodes: [step.node] },
      ]
    }
    const roots = step.nodes.map((node) => ({ node, into: home.into(node) }))
    return [{ kind: 'launch', source: writeKernel(step.space, roots, home.layout), nodes: step.nodes }]
  })
  const placed = patches.map((patch): Call => {
    const { name, node } = patch
    const source = writePatch(patch, {
      part: home.output(graph.outputs.get(patch.part)!),
      start: home.output(graph.outputs.get(patch.start)!),
      state: home.state(name, node),
      fault: home.fault,
    })
    return { kind: 'launch', source, nodes: [node] }
  })
  return withZeros([...home.before, ...calls, ...placed, ...home.after])
}

/** What pads a storage is cleared before anything else is there: kernels leave it, and products write zeros. */
function withZeros(calls: readonly Call[]): Call[] {
  const open = new Set(calls.flatMap((call) => (call.kind === 'multiply' ? call.padded : [])))
  return calls.flatMap((call) => {
    const begun = touches(call).filter((storage) => storage.place.kind === 'temporary' && open.delete(storage))
    return [...begun.map((storage): Call => ({ kind: 'clear pads', storage })), call]
  })
}

function multiply({ node, sum, onto, epilogue }: MatmulStep, home: Homes, precision: CudaPrecision): Call {
  const [a, b] = (node.inputs as readonly RunNode[]).map(operandOf)
  const { transposeA, transposeB, scale } = node.attributes
  const operand = precision === 'bf16' ? home.half : home.plain
  const [from, by, into] = [operand(a!), operand(b!), home.plain({ base: sum, offset: 0 })]
  const [left] = node.inputs
  const [m, n] = node.shape.slice(-2)
  const shape: MatmulShape = {
    batch: sizeOf(node.shape.slice(0, -2)),
    m: m!,
    n: n!,
    k: left!.shape.at(transposeA ? -2 : -1)!,
    transposeA,
    transposeB,
    scale,
    sharedA: false,
    sharedB: false,
    pitchA: from.storage.rows?.pitch,
    pitchB: by.storage.rows?.pitch,
    pitchC: into.storage.rows?.pitch,
    input: precision === 'bf16' ? 'bf16' : 'f32',
    output: into.storage.element === 'bf16' ? 'bf16' : 'f32',
    tf32: precision === 'tf32',
    epilogue: epilogue?.kind ?? 'none',
    accumulate: onto !== undefined,
  }
  const bias = epilogue && home.half({ base: epilogue.bias, offset: 0 })
  return { kind: 'multiply', a: from, b: by, c: into, bias, ...roundedUp(shape, { a: from, b: by, c: into }) }
}

function laidOut(calls: readonly Call[], home: Homes, lasting: readonly Storage[]): Pick<Plan, 'arena' | 'offsets'> {
  const spans = new Map<Storage, { first: number; last: number }>()
  for (const storage of home.inputs.values()) spans.set(storage, { first: -1, last: -1 })
  calls.forEach((call, i) => {
    for (const storage of touches(call)) {
      if (storage.place.kind !== 'temporary' && storage.place.kind !== 'input') continue
      spans.set(storage, { first: spans.get(storage)?.first ?? i, last: i })
    }
  })
  for (const storage of [...lasting, home.fault]) {
    const span = spans.get(storage)
    if (span) span.last = calls.length
  }
  const storages = [...spans.keys()]
  const found = arena(storages.map((storage) => ({ bytes: bytesOf(storage), ...spans.get(storage)! })))
  return { arena: found, offsets: new Map(storages.map((storage, i) => [storage, found.offsets[i]!])) }
}

/** What a call reads or writes. */
export function touches(call: Call): readonly Storage[] {
  switch (call.kind) {
    case 'launch':
      return call.source.pointers.map(({ storage }) => storage)
    case 'multiply':
      return [call.a, call.b, call.c, ...(call.bias ? [call.bias] : [])].map(({ storage }) => storage)
    case 'clear':
    case 'clear pads':
      return [call.storage]
    case 'copy':
      return [call.from.storage, call.to.storage]
  }
}
