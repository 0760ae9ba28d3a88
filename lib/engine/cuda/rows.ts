import { sizeOf } from '../../graph/index.ts'
import type { RunNode, Shape } from '../../graph/index.ts'
import type { MatmulStep, Step } from './schedule.ts'
import type { Rows } from './storage.ts'
import { operandOf } from './view.ts'
import type { View } from './view.ts'

/** From here on a row is so long that what pads it hardly counts. */
const shortest = 512
/** cuBLASLt's fast kernels take rows that begin, and end, at multiples of 16 bytes: this many entries of bfloat16. */
export const alignment = 8
/** Rows then begin where lines of the cache do. */
const multiple = 64

/**
 * Values that products read or write, and whose rows begin apart so that products are fast: those of odd width, like a
 * vocabulary. Not those that lie `fixed`, nor those that a product takes for a matrix of another width.
 */
export function spreadRows(steps: readonly Step[], fixed: Iterable<RunNode>): ReadonlyMap<RunNode, Rows> {
  const products = steps.filter((step) => step.kind === 'matmul')
  const dense = new Set(fixed)
  const found = new Map<RunNode, Rows>()
  for (const { base, offset, width } of products.flatMap(matricesOf)) {
    const isWhole = base.shape.at(-1) === width && offset % width === 0
    if (!isWhole) dense.add(base)
    else if (width >= shortest && width % alignment !== 0)
      found.set(base, { width, pitch: Math.ceil(width / multiple) * multiple })
  }
  // a sum lies where the first of its products does
  for (const { sum, onto } of products.toReversed()) if (onto && dense.has(sum)) dense.add(onto)
  for (const node of dense) found.delete(node)
  return found
}

/** Rows to have room for after those of a matrix, so that their number is a multiple, too. */
export function spareRows(shape: Shape): number {
  const count = shape[0] ?? 0
  return shape.length === 2 && count >= shortest && sizeOf(shape) > 0 ? -count & (alignment - 1) : 0
}

interface Matrix extends View {
  readonly width: number
}

function matricesOf({ node, sum }: MatmulStep): Matrix[] {
  const operands = (node.inputs as readonly RunNode[]).map((from) => ({
    ...operandOf(from),
    width: from.shape.at(-1)!,
  }))
  return [...operands, { base: sum, offset: 0, width: node.shape.at(-1)! }]
}
