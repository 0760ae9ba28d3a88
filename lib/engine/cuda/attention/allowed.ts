import * as g from '../../../graph/index.ts'
import type { RunNode, Tensor } from '../../../graph/index.ts'
import { isPointOp } from '../operations.ts'

/** Which keys a query sees. */
export interface Allowed {
  /** Token i sees j ≤ i. */
  readonly causal: boolean
  /** Of those, the last so many. */
  readonly window: number | undefined
  /** Of those, the ones for which all of these hold: bool, each stretched to (B, 1, T, T). */
  readonly others: readonly Tensor[]
}

/** Of a mask (B or 1, 1, T, T) of 0 where token i sees j, −1e9 elsewhere, whatever kernels can compute as they go. */
export function allowedBy(mask: Tensor): Allowed | undefined {
  if (mask.op !== 'where' || mask.shape.length !== 4 || mask.shape[1] !== 1) return undefined
  const [allowed, zero, hidden] = mask.inputs as readonly [Tensor, Tensor, Tensor]
  if (numberOf(zero) !== 0 || numberOf(hidden) !== -1e9) return undefined
  const all = conjuncts(allowed)
  if (!all.every(isComputable)) return undefined
  const windows = all.flatMap((one) => windowOf(one) ?? [])
  const others = all.filter((one) => !isCausal(one) && windowOf(one) === undefined)
  // a token that sees nothing attends to all of a row alike, be they causal or not
  if (!all.some(isCausal) || !others.every(isReflexive)) return { causal: false, window: undefined, others: all }
  return { causal: true, window: windows.length > 0 ? Math.min(...windows) : undefined, others }
}

const conjuncts = (x: Tensor): readonly Tensor[] => (x.op === 'and' ? x.inputs.flatMap(conjuncts) : [x])

const shaping: ReadonlySet<string> = new Set(['constant', 'iota', 'reshape', 'broadcastTo'])

/** Whether it is made, entry by entry, of what is in memory before anything runs, and that can be counted by an int. */
function isComputable(x: Tensor): boolean {
  if (x.op === 'input' || x.op === 'state') return g.sizeOf(x.shape) < 2 ** 31
  return (shaping.has(x.op) || isPointOp(x as RunNode)) && x.inputs.every(isComputable)
}

/** Whether every token surely sees itself. */
function isReflexive({ op, inputs }: Tensor): boolean {
  const [a, b] = inputs as readonly [Tensor, Tensor]
  if (op === 'and') return isReflexive(a) && isReflexive(b)
  if (op === 'or') return isReflexive(a) || isReflexive(b)
  if (op === 'less') return a.op === 'sub' && areMirrored(a.inputs[0]!, a.inputs[1]!) && (numberOf(b) ?? 0) > 0
  return (op === 'equal' || op === 'lessEqual' || op === 'greaterEqual') && areMirrored(a, b)
}

/** Whether what queries have of one is what keys have of the other: tokens' places, or numbers that they are given. */
function areMirrored(a: Tensor, b: Tensor): boolean {
  if (isIota(a, 2) || isIota(a, 3)) return isIota(b, 2) || isIota(b, 3)
  const isOne = a.op === 'reshape' && b.op === 'reshape' && a.inputs[0] === b.inputs[0] && a.dtype === 'int32'
  const [B, H, T, S] = b.shape
  return isOne && b.shape.length === 4 && g.sameShape(a.shape, [B!, H!, S!, T!])
}

const isIota = (x: Tensor, axis: number): boolean =>
  x.op === 'iota' && x.shape.length === 4 && x.attributes.axis === axis

const isCausal = ({ op, inputs }: Tensor): boolean =>
  op === 'greaterEqual' && isIota(inputs[0]!, 2) && isIota(inputs[1]!, 3)

/** i − j < window */
function windowOf({ op, inputs }: Tensor): number | undefined {
  const [distance, limit] = inputs
  if (op !== 'less' || distance?.op !== 'sub' || !limit) return undefined
  const window = numberOf(limit)
  const isOfPlaces = isIota(distance.inputs[0]!, 2) && isIota(distance.inputs[1]!, 3)
  return isOfPlaces && window !== undefined && window > 0 ? window : undefined
}

export function numberOf(x: Tensor): number | undefined {
  if (x.op === 'broadcastTo') return numberOf(x.inputs[0]!)
  return x.op === 'constant' && x.attributes.data.length === 1 ? x.attributes.data[0] : undefined
}
