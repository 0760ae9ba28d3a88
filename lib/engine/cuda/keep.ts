import type { Graph, RunNode } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import { isPointOp, operations } from './operations.ts'
import { accumulations } from './accumulate.ts'
import type { Accumulations } from './accumulate.ts'
import { epilogues } from './epilogues.ts'
import type { Epilogues } from './epilogues.ts'
import { areReadInTime, needsAll } from './in-turn.ts'
import { isGiven } from './is-given.ts'
import { isAttention, operandOf, tokensRead, viewOf } from './view.ts'
import type { CudaPrecision } from '../precision.ts'

/** Of a value that one kernel makes of many. */
export const mostParts = 32

export interface Kept {
  /** Nodes of which every entry is in memory as it is: given ones too. */
  readonly plain: ReadonlySet<RunNode>
  /** Those that matrix products read as bfloat16. */
  readonly half: ReadonlySet<RunNode>
  /** Those that are in memory as bfloat16 alone: kernels read them as such, too. */
  readonly narrow: ReadonlySet<RunNode>
  /** Sums of products, made where they lie. */
  readonly sums: Accumulations
  /** What products write in place of themselves. */
  readonly epilogues: Epilogues
  /** Whether a kernel computes it, if it is in memory at all. */
  readonly isComputed: (node: RunNode) => boolean
}

/**
 * Which values are written to memory. The others are computed where they are read: by the kernels of those that use
 * them, once more in each.
 */
export function keep(graph: Graph, precision: CudaPrecision): Kept {
  const kept = keepBeside(graph, precision, accumulations(graph, needsAll()))
  const { plain, half, narrow, isComputed } = kept
  const isInMemory = (node: RunNode): boolean =>
    plain.has(node) || half.has(node) || narrow.has(node) || !isComputed(node)
  return areReadInTime(graph, kept.sums, isInMemory) ? kept : keepBeside(graph, precision, accumulations(graph))
}

function keepBeside(graph: Graph, precision: CudaPrecision, sums: Accumulations): Kept {
  const operands = operandsOf(graph)
  // a card's GELU of float32 is not ours to the last digits
  const written: Epilogues = precision === 'bf16' ? epilogues(graph, operands) : new Map()
  const half = precision === 'bf16' ? new Set([...operands, ...biasesOf(written)]) : new Set<RunNode>()
  const plain = new Set([...rootsOf(graph), ...(precision === 'bf16' ? [] : operands)])
  const isComputed = (node: RunNode): boolean =>
    !isGiven(node) && node.op !== 'matmul' && !isAttention(node) && !sums.has(node) && !written.has(node)
  const isProduced = (node: RunNode): boolean => !isComputed(node) || node.op === 'sum' || node.op === 'max'
  const narrow = precision === 'bf16' ? narrowOf(graph, sums, written) : new Set<RunNode>()
  const reads = readsOf(graph)
  const prices = new Map<RunNode, Price>()
  for (const node of graph.nodes) {
    if (priceOf(node, prices).sources > mostParts) store(inputsOf(node), plain, prices)
    const full = priceOf(node, prices)
    if (isProduced(node) || narrow.has(node) || !isWorthRepeating(full, reads.get(node), sizeOf(node.shape)))
      plain.add(node)
    const inMemory = plain.has(node)
    prices.set(node, { entries: sizeOf(node.shape), ...(inMemory ? read : full) })
  }
  for (const node of half) if (!isProduced(node) && !reads.has(node)) plain.delete(node)
  for (const node of rootsOf(graph)) plain.add(node)
  return { plain, half, narrow, sums, epilogues: written, isComputed }
}

/**
 * What products make, as PyTorch's autocast has it, and what those of a batch take, which is rounded in any case:
 * attention's scores and shares are by far the largest of all values. Not what is added up, nor logits over a vocabulary:
 * near 100, they would be off by a quarter of a nat.
 */
function narrowOf(graph: Graph, sums: Kept['sums'], written: Epilogues): ReadonlySet<RunNode> {
  const products = graph.nodes.filter((node) => node.op === 'matmul')
  const batches = products.filter((node) => sizeOf(node.shape.slice(0, -2)) > 1)
  const values = batches.flatMap((node) => inputsOf(node).map((from) => operandOf(from).base))
  const added = [...sums].flatMap(([sum, { product, onto }]) => [sum, product, onto])
  const wide = new Set([...rootsOf(graph), ...added, ...logitsOf(graph, batches)])
  const attended = graph.nodes.filter(({ op }) => op === 'attention' || op === 'attentionGradient')
  return new Set(
    [...products, ...written.keys(), ...attended, ...values].filter((node) => !isGiven(node) && !wide.has(node)),
  )
}

/** Products of no batch whose rows a softmax is taken of. */
function logitsOf(graph: Graph, batches: readonly RunNode[]): ReadonlySet<RunNode> {
  const found = new Set<RunNode>()
  const waiting = graph.nodes.filter((node) => node.op === 'max').flatMap(inputsOf)
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    if (found.has(node) || batches.includes(node)) continue
    found.add(node)
    if (isPointOp(node) || node.op === 'concat' || node.op === 'reshape') waiting.push(...inputsOf(node))
  }
  return found
}

const biasesOf = (written: Epilogues): RunNode[] => [...written.values()].map(({ bias }) => bias)

const inputsOf = (node: RunNode): readonly RunNode[] => node.inputs as readonly RunNode[]

function rootsOf(graph: Graph): RunNode[] {
  const results = [...graph.outputs.values(), ...graph.updates.values()]
  const ids = graph.nodes.flatMap((node) => (node.op === 'scatterAdd' ? [inputsOf(node)[0]!] : []))
  const tables = graph.nodes.flatMap((node) => (node.op === 'gather' ? [inputsOf(node)[0]!] : []))
  return [...results, ...ids, ...tables].map((node) => viewOf(node).base)
}

const operandsOf = (graph: Graph): Set<RunNode> =>
  new Set(
    graph.nodes.flatMap((node) => {
      if (isAttention(node)) return tokensRead(node).map(({ base }) => base)
      return node.op === 'matmul' ? inputsOf(node).map((x) => operandOf(x).base) : []
    }),
  )

interface Reads {
  /** How often each entry is read. */
  times: number
  /** The most that one user reads each entry. */
  most: number
}

function readsOf(graph: Graph): Map<RunNode, Reads> {
  const found = new Map<RunNode, Reads>()
  for (const user of graph.nodes) {
    if (user.op === 'matmul' || isAttention(user)) continue
    for (const from of new Set(inputsOf(user))) {
      const times = readsBy(user, from)
      const before = found.get(from) ?? { times: 0, most: 0 }
      found.set(from, { times: before.times + times, most: Math.max(before.most, times) })
    }
  }
  return found
}

function readsBy(user: RunNode, from: RunNode): number {
  const ratio = sizeOf(user.shape) / sizeOf(from.shape)
  if (user.op === 'slice' || user.op === 'takeAlong') return ratio
  if (isPointOp(user) || user.op === 'broadcastTo') return Math.max(1, ratio)
  return 1
}

/** Of computing an entry where it is needed: arithmetic, and values read for each (those of a row count less). */
interface Price {
  readonly work: number
  readonly loads: number
  /** Pointers that a kernel needs for it. */
  readonly sources: number
  readonly entries: number
}

/** Of what is in memory. */
const read = { work: 0, loads: 1, sources: 1 }

/** One kernel for all would need too many pointers. */
function store(nodes: readonly RunNode[], plain: Set<RunNode>, prices: Map<RunNode, Price>): void {
  for (const node of nodes) {
    if (prices.get(node)!.sources <= 1) continue
    plain.add(node)
    prices.set(node, { entries: sizeOf(node.shape), ...read })
  }
}

function priceOf(node: RunNode, prices: ReadonlyMap<RunNode, Price>): Omit<Price, 'entries'> {
  const entries = sizeOf(node.shape)
  let [work, loads, sources] = [ownPrice(node), 0, 0]
  for (const from of new Set(inputsOf(node))) {
    const price = prices.get(from)!
    work += price.work
    sources += price.sources
    loads += price.loads * Math.min(1, price.entries / entries)
  }
  return { work, loads, sources }
}

function ownPrice(node: RunNode): number {
  if (isPointOp(node)) return operations[node.op].price
  if (node.op === 'scatterAdd') return 100
  return node.op === 'pad' || node.op === 'concat' || node.op === 'gather' ? 2 : 0
}

function isWorthRepeating({ work, loads }: Omit<Price, 'entries'>, reads: Reads | undefined, entries: number): boolean {
  // of a single number, a sum of many takes no longer than the launch that each of its parts would
  if (work > 150 || (loads > 12 && entries > 1)) return false
  if (!reads || reads.times <= 1.01) return true
  // a small one that is stretched is read from a cache, but computed again for each entry of the large one
  if (reads.most > 4) return work <= 6 && loads <= 2
  // else as much is read as if it were there, and in the time of writing it a card does more than this
  return work <= 24 && loads <= 1.01
}
