import { sizeOf } from '../../graph/index.ts'
import type { RunNode } from '../../graph/index.ts'
import { basesRead } from './epilogues.ts'
import type { KernelStep, Step } from './schedule.ts'
import { sameSpace } from './space.ts'
import { tokensRead, viewOf } from './view.ts'
import type { AttentionNode } from './view.ts'

type Join = (early: KernelStep, late: KernelStep) => KernelStep | undefined

/** How far a kernel may wait. */
const reach = 12

/**
 * A kernel over rows waits for one that goes over the same rows, of which it reads most, a little later: one reads them
 * for both. What needs its results in between waits, too.
 */
export function waitForOthers(steps: readonly Step[], join: Join): Step[] {
  let all = [...steps]
  for (let i = 0; i < all.length; i++) {
    const early = all[i]!
    if (early.kind !== 'kernel' || early.space.width === 1) continue
    const near = all.slice(i + 1, i + 1 + reach)
    const at = near.findIndex((late) => late.kind === 'kernel' && readSame(early, late))
    const late = near[at]
    if (late?.kind !== 'kernel') continue
    const [waiting, others] = waitingFor(early, near.slice(0, at))
    if (others.some((step) => mustFollow(step, early)) || waiting.some((step) => isBefore(step, late))) continue
    const joined = waiting.every(({ kind }) => kind === 'kernel') ? join(early, late) : undefined
    if (joined) all = [...all.slice(0, i), ...others, joined, ...waiting, ...all.slice(i + at + 2)]
  }
  return all
}

/** Those that need what a step makes, or each other; and the rest. */
function waitingFor(early: Step, between: readonly Step[]): readonly [waiting: Step[], others: Step[]] {
  const waiting: Step[] = []
  const others: Step[] = []
  for (const step of between) {
    const needs = isBefore(early, step) || waiting.some((one) => isBefore(one, step))
    ;(needs ? waiting : others).push(step)
  }
  return [waiting, others]
}

const isBefore = (maker: Step, user: Step): boolean => {
  const read = readsOf(user)
  return madeBy(maker).some((node) => read.has(node))
}

/** What a product is added to is gone afterwards. */
const mustFollow = (step: Step, early: KernelStep): boolean =>
  step.kind === 'matmul' && step.onto !== undefined && early.reads.has(step.onto)

function madeBy(step: Step): readonly RunNode[] {
  if (step.kind === 'kernel' || step.kind === 'attention') return step.nodes
  return [step.kind === 'matmul' ? step.sum : step.node]
}

function readsOf(step: Step): ReadonlySet<RunNode> {
  if (step.kind === 'kernel') return new Set([...step.reads.keys(), ...step.chains])
  if (step.kind === 'chain') return new Set([viewOf(step.node.inputs[0] as RunNode).base])
  if (step.kind === 'attention') {
    const [node] = step.nodes as readonly [AttentionNode]
    const tokens = tokensRead(node).map(({ base }) => base)
    return new Set([...(node.inputs as readonly RunNode[]), ...tokens, ...step.masks])
  }
  const bases = basesRead(step)
  return new Set(step.onto ? [...bases, step.onto] : bases)
}

/** Whether most of what an entry of the rows is made of is the same. */
function readSame(early: KernelStep, late: KernelStep): boolean {
  if (!sameSpace(early.space, late.space)) return false
  const most = (early.space.rows * early.space.width) / 2
  return [...early.reads].some(
    ([node, keys]) => sizeOf(node.shape) >= most && [...keys].some((key) => late.reads.get(node)?.has(key)),
  )
}
