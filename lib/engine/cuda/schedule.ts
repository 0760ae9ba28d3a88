import type { Graph, RunNode } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import { keyOf } from './coordinates.ts'
import { basesRead } from './epilogues.ts'
import type { Epilogue } from './epilogues.ts'
import type { Kept } from './keep.ts'
import { readsOf } from './reads.ts'
import type { Reads } from './reads.ts'
import { formIn, isReduction, pointSpace, reductionSpace } from './space.ts'
import type { Space } from './space.ts'
import { waitForOthers } from './wait.ts'
import { areMadeTogether, isAttention, maskOf, tokensRead, viewOf } from './view.ts'
import type { AttentionNode, Product } from './view.ts'

/** What the device does, in order: kernels made here, products that it knows, attention, and the links of a scatterAdd's ids. */
export type Step = KernelStep | MatmulStep | AttentionStep | ChainStep

export interface KernelStep {
  readonly kind: 'kernel'
  readonly space: Space
  /** What it computes, inputs before users. */
  readonly nodes: readonly RunNode[]
  /** What it reads of others. */
  readonly reads: ReadonlyMap<RunNode, ReadonlySet<string>>
  /** Of whose ids it follows the links. */
  readonly chains: ReadonlySet<RunNode>
}

export interface MatmulStep {
  readonly kind: 'matmul'
  readonly node: Product
  /** What is then in memory: the product, its sum with what was there, or what its epilogue makes of it. */
  readonly sum: RunNode
  readonly onto: RunNode | undefined
  readonly epilogue: Epilogue | undefined
}

export interface AttentionStep {
  readonly kind: 'attention'
  /** Values and log-sums, or gradients, of the same attention. */
  readonly nodes: readonly AttentionNode[]
  /** What its mask is made of, in memory. */
  readonly masks: ReadonlySet<RunNode>
}

export interface ChainStep {
  readonly kind: 'chain'
  readonly node: Extract<RunNode, { op: 'scatterAdd' }>
}

/** Kernels as few as may be: a value joins the one that computes what it is made of, or that reads the same. */
export function schedule(graph: Graph, kept: Kept): Step[] {
  const scheduler = new Scheduler(graph, kept)
  for (const node of graph.nodes) scheduler.add(node)
  return waitForOthers([...scheduler.first, ...scheduler.steps], scheduler.joinAll)
}

const mostNodes = 12
const mostReads = 40
/** How far back a kernel is looked for that reads the same. */
const reach = 12
/** Entries that take up no memory to speak of. */
const small = 2 ** 14

class Scheduler {
  readonly steps: Step[] = []
  /** Small values that need nothing of the others: were they made where they are needed, what uses them would wait. */
  readonly first: Step[] = []
  private readonly places = new Map<RunNode, number>()
  private readonly cast = new Set<RunNode>()

  private readonly kept: Kept
  /** Products that are added to what was there, or have an epilogue, and so are made with that. */
  private readonly joined: ReadonlySet<RunNode>
  /** New values of state, for which the memory is there in any case. */
  private readonly lasting: ReadonlySet<RunNode>

  private readonly attentions: readonly AttentionNode[]

  constructor(graph: Graph, kept: Kept) {
    this.kept = kept
    this.attentions = graph.nodes.filter(isAttention)
    this.joined = new Set([...kept.sums.values(), ...kept.epilogues.values()].map(({ product }) => product))
    this.lasting = new Set([...graph.updates.values()].map((node) => viewOf(node).base))
  }

  add(node: RunNode): void {
    const { plain, half, sums, epilogues, isComputed } = this.kept
    const [sum, epilogue] = [sums.get(node), epilogues.get(node)]
    if (sum) this.addMatmul({ node: sum.product, sum: node, onto: sum.onto, epilogue: undefined })
    else if (epilogue) this.addMatmul({ node: epilogue.product, sum: node, onto: undefined, epilogue })
    else if (node.op === 'matmul' && !this.joined.has(node))
      this.addMatmul({ node, sum: node, onto: undefined, epilogue: undefined })
    else if (isAttention(node)) this.addAttention(node)
    else if (node.op === 'scatterAdd') this.steps.push({ kind: 'chain', node })
    if (isComputed(node) && (plain.has(node) || half.has(node))) this.addComputed(node)
  }

  private addMatmul(step: Omit<MatmulStep, 'kind'>): void {
    this.castAll(basesRead(step))
    this.places.set(step.sum, this.steps.push({ kind: 'matmul', ...step }) - 1)
  }

  /** With all that the same kernels make, the first time that some of it is needed. */
  private addAttention(node: AttentionNode): void {
    if (this.places.has(node)) return
    this.castAll(tokensRead(node).map(({ base }) => base))
    const nodes = this.attentions.filter((one) => areMadeTogether(one, node))
    const masks = this.masksRead(maskOf(node))
    const place = this.steps.push({ kind: 'attention', nodes, masks }) - 1
    for (const one of nodes) this.places.set(one, place)
  }

  private masksRead(mask: RunNode | undefined): ReadonlySet<RunNode> {
    if (!mask) return new Set()
    const { places } = readsOf(mask, pointSpace(sizeOf(mask.shape)), (one) => this.kept.plain.has(one))
    return new Set(places.keys())
  }

  /** To bfloat16, what no kernel writes as such. */
  private castAll(bases: readonly RunNode[]): void {
    const { half, narrow, isComputed } = this.kept
    for (const base of bases) {
      if (!half.has(base) || narrow.has(base) || isComputed(base) || this.cast.has(base)) continue
      this.cast.add(base)
      this.push(base, pointSpace(sizeOf(base.shape)))
    }
  }

  private addComputed(node: RunNode): void {
    const space = isReduction(node) ? reductionSpace(node) : pointSpace(sizeOf(node.shape))
    const reads = this.readsOf(node, space)
    const makers = [...reads.places.keys()].map((from) => this.places.get(from) ?? -1)
    const after = Math.max(-1, ...makers, ...this.chainsOf(reads))
    for (const index of this.candidates(node, after)) {
      const step = this.steps[index]!
      if (step.kind !== 'kernel') continue
      const joined = index === after ? this.join(step, node, space) : this.joinBeside(step, node)
      if (!joined) continue
      this.steps[index] = joined
      this.places.set(node, index)
      return
    }
    const isEarly = after < 0 && sizeOf(node.shape) <= small && !isReduction(node) && !this.lasting.has(node)
    if (isEarly) this.first.push(this.step(node, space))
    else this.places.set(node, this.push(node, space))
  }

  /** Steps that may take the node in, the last first. Computed long before it is used, a value would take up memory. */
  private candidates(node: RunNode, after: number): number[] {
    const first = this.lasting.has(node) ? Math.max(0, after) : Math.max(0, after, this.steps.length - reach)
    const near = this.steps
      .map((_, i) => i)
      .slice(first)
      .reverse()
    return after < 0 || after >= first ? near : [...near, after]
  }

  private chainsOf({ chains }: Reads): number[] {
    return [...chains].map((node) => this.steps.findIndex((step) => step.kind === 'chain' && step.node === node))
  }

  private push(node: RunNode, space: Space): number {
    return this.steps.push(this.step(node, space)) - 1
  }

  private step(node: RunNode, space: Space): KernelStep {
    const { places, chains } = this.readsOf(node, space)
    return { kind: 'kernel', space, nodes: [node], reads: places, chains }
  }

  /** Both in one, those of the first before those of the second. */
  readonly joinAll = (step: KernelStep, other: KernelStep): KernelStep | undefined =>
    other.nodes.reduce<KernelStep | undefined>((all, node) => all && this.join(all, node, other.space), step)

  /** The step with one more node; undefined where the node needs what other threads of it compute. */
  private join(step: KernelStep, node: RunNode, space: Space): KernelStep | undefined {
    const fits = formIn(step.space, node) !== undefined
    if (!fits && !canBecome(step, space, node)) return undefined
    const nodes = [...step.nodes, node]
    const joint = fits ? step.space : space
    const reads = new Map<RunNode, Set<string>>()
    for (const one of fits ? [node] : nodes) {
      for (const [from, keys] of this.readsOf(one, joint).places) {
        if (nodes.includes(from) && this.kept.isComputed(from)) {
          if (![...keys].every((key) => key === ownKey(joint, from))) return undefined
        } else reads.set(from, new Set([...(reads.get(from) ?? []), ...keys]))
      }
    }
    if (fits) for (const [from, keys] of step.reads) reads.set(from, new Set([...(reads.get(from) ?? []), ...keys]))
    if (nodes.length > mostNodes || reads.size > mostReads) return undefined
    // in several loops, one would see what an earlier one has written over the old value
    if (nodes.some(isReduction) && nodes.some((one) => this.lasting.has(one))) return undefined
    const chains = new Set(nodes.flatMap((one) => [...this.readsOf(one, joint).chains]))
    return { kind: 'kernel', space: joint, nodes, reads, chains }
  }

  /** The same for a step on which the node does not depend, where much is read once instead of twice. */
  private joinBeside(step: KernelStep, node: RunNode): KernelStep | undefined {
    if (formIn(step.space, node) === undefined) return undefined
    const { places } = this.readsOf(node, step.space)
    const half = (step.space.rows * step.space.width) / 2
    const shared = [...places].filter(([from, keys]) => [...keys].some((key) => step.reads.get(from)?.has(key)))
    const entries = shared.reduce((sum, [from]) => sum + sizeOf(from.shape), 0)
    return entries >= half ? this.join(step, node, step.space) : undefined
  }

  private readsOf(node: RunNode, space: Space): Reads {
    const { plain, isComputed } = this.kept
    return readsOf(node, space, (one) => plain.has(one) && !(one === node && isComputed(one)))
  }
}

/** A kernel that goes over entries can go over them row by row. */
function canBecome(step: KernelStep, space: Space, node: RunNode): boolean {
  const isPlain = step.space.width === 1 && !step.nodes.some(isReduction)
  const size = space.rows * space.width
  return isReduction(node) && isPlain && step.space.rows === size && (space.rows >= 64 || size <= 65536)
}

export const ownKey = (space: Space, node: RunNode): string =>
  keyOf(formIn(space, node) === 'entry' ? space.entry : space.row)
