import type { Node, RunNode, Shape } from '../../graph/index.ts'
import { sameShape, sizeOf } from '../../graph/index.ts'
import { apart, flatten, keyOf, never, unflatten, whole } from './coordinates.ts'
import type { Coordinate } from './coordinates.ts'

/**
 * What a kernel goes over: rows, and the entries of each row in a loop. Without a reduction there is one entry in a row.
 */
export interface Space {
  readonly rows: number
  readonly width: number
  readonly row: Coordinate
  /** The place of a row's entry in the tensor that is reduced. */
  readonly entry: Coordinate
  /** Whether neighbours in a row are neighbours in memory: else rows are. */
  readonly alongRows: boolean
}

/** A place for each entry. */
export function pointSpace(rows: number): Space {
  const row = whole({ name: 'r', size: rows, depth: 0 })
  return { rows, width: 1, row, entry: row, alongRows: false }
}

export type Reduction = RunNode & (Node<'sum'> | Node<'max'>)
export const isReduction = (node: RunNode): node is Reduction => node.op === 'sum' || node.op === 'max'

/** A row for each entry of the result: what is reduced to it. */
export function reductionSpace(node: Reduction): Space {
  const { shape } = node.inputs[0]!
  const { axes } = node.attributes
  const kept = shape.map((length, axis) => (axes.includes(axis) ? 1 : length))
  const reduced: Shape = shape.map((length, axis) => (axes.includes(axis) ? length : 1))
  const [rows, width] = [sizeOf(kept), sizeOf(reduced)]
  const row = whole({ name: 'r', size: rows, depth: 0 })
  const [outer, inner] = [
    unflatten(row, kept, never),
    unflatten(whole({ name: 'w', size: width, depth: 1 }), reduced, never),
  ]
  const entry = flatten(
    shape.map((_, axis) => (axes.includes(axis) ? inner[axis]! : outer[axis]!)),
    shape,
  )
  const last = shape.findLastIndex((length) => length > 1)
  return { rows, width, row, entry, alongRows: axes.includes(last) }
}

export const sameSpace = (a: Space, b: Space): boolean =>
  sameShape([a.rows, a.width], [b.rows, b.width]) && keyOf(a.entry) === keyOf(b.entry)

/** How a node takes part in a kernel over this space; undefined where it cannot. */
export type Form = 'reduction' | 'row' | 'entry'

export function formIn(space: Space, node: RunNode): Form | undefined {
  if (isReduction(node)) return sameSpace(space, reductionSpace(node)) ? 'reduction' : undefined
  const size = sizeOf(node.shape)
  const [form, place] = size === space.rows ? (['row', space.row] as const) : (['entry', space.entry] as const)
  return size === space.rows * (form === 'row' ? 1 : space.width) && apart(place, node.shape) ? form : undefined
}
