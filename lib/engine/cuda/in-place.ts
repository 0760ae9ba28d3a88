import type { Graph, RunNode } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import { basesRead } from './epilogues.ts'
import type { Kept } from './keep.ts'
import { ownKey } from './schedule.ts'
import type { AttentionStep, Step } from './schedule.ts'
import { isReduction } from './space.ts'
import { tokensRead, viewOf } from './view.ts'
import type { AttentionNode } from './view.ts'

/** Whether the new value of a state may be written where the old one is: nobody reads that afterwards. */
export function inPlace(graph: Graph, kept: Kept, steps: readonly Step[], name: string, node: RunNode): boolean {
  const { base, offset } = viewOf(node)
  if (offset !== 0 || sizeOf(base.shape) !== sizeOf(node.shape)) return false
  const index = steps.findIndex((step) => computes(step, base, kept))
  const step = steps[index]
  if (!step || (step.kind === 'matmul' && step.onto)) return false
  const old = graph.state.get(name)
  if (!old) return true
  if (steps.slice(index + 1).some((later) => readBy(later, kept).has(old))) return false
  return !readBy(step, kept).has(old) || readsOnlyItsOwn(step, old, base)
}

/** What a step reads from memory that another one, or nobody here, has written. */
export function readBy(step: Step, kept: Kept): ReadonlySet<RunNode> {
  if (step.kind === 'kernel') return new Set(step.reads.keys())
  if (step.kind === 'chain') return new Set([viewOf(step.node.inputs[0] as RunNode).base])
  const isPlain = (base: RunNode): boolean => !kept.half.has(base)
  if (step.kind === 'attention') return new Set([...readByAttention(step), ...step.masks].filter(isPlain))
  return new Set(basesRead(step).filter(isPlain))
}

/** Tokens, and log-sums. */
function readByAttention({ nodes }: AttentionStep): RunNode[] {
  const [first] = nodes as readonly [AttentionNode]
  const logSums = (first.inputs as readonly RunNode[]).filter(({ op }) => op === 'attentionLogSum')
  return [...tokensRead(first).map(({ base }) => base), ...logSums]
}

const computes = (step: Step, node: RunNode, { isComputed }: Kept): boolean =>
  step.kind === 'kernel' ? step.nodes.includes(node) && isComputed(node) : step.kind === 'matmul' && step.sum === node

/** Each thread reads the entry that it then writes, and in one go. */
function readsOnlyItsOwn(step: Step, old: RunNode, node: RunNode): boolean {
  if (step.kind !== 'kernel' || step.nodes.some(isReduction)) return false
  return [...step.reads.get(old)!].every((key) => key === ownKey(step.space, node))
}
