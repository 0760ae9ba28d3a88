import { toRecord } from '../util/record.ts'
import { nearest } from '../util/nearest.ts'
import { folded, lengthOf } from './file-names.ts'
import { isCellName, isName } from './names.ts'
import { didYouMean, someOf } from './problems.ts'
import type { Problems } from './problems.ts'
import { spotOf, standsInText, withTemplate } from './references.ts'
import type { Spot } from './source.ts'
import { joinTexts } from './template.ts'
import type { Reference, Template } from './template.ts'
import { describe, entriesOf, itemsOf, mapEntries, mapItems } from './tree.ts'
import type { ScalarTree, Tree } from './tree.ts'

const MOST_CELLS = 100_000
/** Bytes of a cell's whole name, which is one of a folder. */
const MOST_NAME = 100

/** One run of a stage: each axis at one of its values. */
export interface Cell {
  /** `2,0.5`; empty where the stage has no matrix. */
  readonly name: string
  /** Axis to the name of its value, in the order written. */
  readonly at: Readonly<Record<string, string>>
  readonly values: ReadonlyMap<string, Tree>
}

/** The one cell of a stage that has no matrix. */
export const NO_CELL: Cell = { name: '', at: toRecord<string>([]), values: new Map() }
const NO_MATRIX: readonly Cell[] = [NO_CELL]

interface Axis {
  readonly name: string
  readonly values: readonly { readonly name: string; readonly value: Tree }[]
}

/** The cells of a matrix, last axis fastest, values in the order written. Undefined after a problem. */
export function expandMatrix(matrix: Tree | undefined, problems: Problems): readonly Cell[] | undefined {
  if (matrix === undefined) return NO_MATRIX
  const axes: Axis[] = []
  for (const [name, { keyAt, value }] of entriesOf(matrix)) {
    const axis = readAxis(name, keyAt, value, problems)
    if (!axis) return undefined
    axes.push(axis)
  }
  const count = axes.reduce((product, { values }) => product * values.length, 1)
  const longest = axes.map(({ values }) => values.reduce((most, { name }) => Math.max(most, lengthOf(name)), 0))
  const length = longest.reduce((sum, one) => sum + one + 1, -1)
  if (count <= MOST_CELLS && length <= MOST_NAME) return combine(axes)
  const many = `The matrix has ${count} cells. At most ${MOST_CELLS} are run: give it fewer values.`
  const long = `The longest name of a cell has ${length} bytes. A folder is named by it, of at most ${MOST_NAME}: write an axis as a map, short name: value.`
  problems.add('MATRIX_INVALID', matrix.at, count > MOST_CELLS ? many : long)
  return undefined
}

function combine(axes: readonly Axis[]): readonly Cell[] {
  let cells: (readonly (readonly [string, { readonly name: string; readonly value: Tree }])[])[] = [[]]
  for (const axis of axes) {
    cells = cells.flatMap((cell) => axis.values.map((value) => [...cell, [axis.name, value] as const]))
  }
  return cells.map((cell) => ({
    name: cell.map(([, { name }]) => name).join(','),
    at: toRecord(cell.map(([axis, { name }]) => [axis, name] as const)),
    values: new Map(cell.map(([axis, { value }]) => [axis, value] as const)),
  }))
}

function readAxis(name: string, at: Spot, tree: Tree, problems: Problems): Axis | undefined {
  const values = tree.kind === 'map' ? mapValues(tree) : listValues(tree, name, problems)
  if (!isName(name, 'axis', at, problems) || !values) return undefined
  const seen = new Map<string, string>()
  for (const value of values) {
    if (!isCellName(value.name, value.value.at, problems)) return undefined
    const other = seen.get(folded(value.name))
    if (other !== undefined) {
      reportTwice(name, value.name, other, value.value.at, problems)
      return undefined
    }
    seen.set(folded(value.name), value.name)
  }
  return { name, values }
}

function reportTwice(axis: string, name: string, other: string, at: Spot, problems: Problems): void {
  if (name === other)
    problems.add('MATRIX_INVALID', at, `The axis "${axis}" has the value "${name}" twice. Remove one.`)
  else {
    const why = 'both cells would have one folder, since not every disk tells case apart'
    const advice = 'Remove one, or write the axis as a map, name: value.'
    problems.add('NAME_COLLISION', at, `The axis "${axis}" has the values "${other}" and "${name}": ${why}. ${advice}`)
  }
}

const mapValues = (tree: Tree): Axis['values'] => [...entriesOf(tree)].map(([name, { value }]) => ({ name, value }))

/** A value in a list is named by itself: `1`, `1.0` and `1e0` are one name. */
function listValues(tree: Tree, axis: string, problems: Problems): Axis['values'] | undefined {
  const values: { name: string; value: Tree }[] = []
  for (const value of itemsOf(tree)) {
    if (value.kind !== 'scalar' || value.value === null) {
      const advice = 'Write the axis as a map, name: value, so that its cells have names.'
      problems.add(
        'MATRIX_INVALID',
        value.at,
        `In a list, "${axis}" takes texts, numbers, true and false, found ${describe(value)}. ${advice}`,
      )
      return undefined
    }
    values.push({ name: String(value.value), value })
  }
  return tree.kind === 'list' ? values : undefined
}

/** True where a value differs from cell to cell. */
export function hasPending(tree: Tree | undefined): boolean {
  if (tree === undefined) return false
  if (tree.kind === 'scalar') return tree.pending !== undefined
  if (tree.kind === 'list') return tree.items.some(hasPending)
  return [...tree.entries.values()].some(({ value }) => hasPending(value))
}

/** Puts a cell's values in the place of `${matrix.axis}`. */
export function bindCell(tree: Tree, cell: Cell, problems: Problems): Tree | undefined {
  if (tree.kind === 'scalar') return tree.pending ? bindScalar(tree, tree.pending, cell, problems) : tree
  if (tree.kind === 'list') return mapItems(tree, (item) => bindCell(item, cell, problems))
  return mapEntries(tree, (value) => bindCell(value, cell, problems))
}

function bindScalar(tree: ScalarTree, template: Template, cell: Cell, problems: Problems): Tree | undefined {
  if (!template.some(isMatrix)) return tree
  const [first] = template
  if (template.length === 1 && isMatrix(first)) return valueOf(first, tree, cell, problems)
  const parts: (string | Reference)[] = []
  for (const part of template) {
    if (isMatrix(part)) {
      const value = valueOf(part, tree, cell, problems)
      const text = value && standsInText(value, part, tree, problems)
      if (text === undefined) return undefined
      parts.push(text)
    } else parts.push(part)
  }
  return withTemplate(tree, joinTexts(parts))
}

const isMatrix = (part: string | Reference | undefined): part is Reference =>
  typeof part === 'object' && part.path[0] === 'matrix'

function valueOf(reference: Reference, from: ScalarTree, cell: Cell, problems: Problems): Tree | undefined {
  const [, axis = '', ...rest] = reference.path
  let names: Iterable<string> = cell.values.keys()
  let value = cell.values.get(axis)
  let missing = axis
  for (const name of value ? rest : []) {
    names = entriesOf(value).keys()
    value = entriesOf(value).get(name)?.value
    missing = name
    if (!value) break
  }
  if (!value) unknownAxis(reference, spotOf(reference, from), missing, [...names], problems)
  return value
}

function unknownAxis(
  reference: Reference,
  at: Spot,
  missing: string,
  names: readonly string[],
  problems: Problems,
): void {
  const near = nearest(missing, names)
  const there = names.length === 0 ? ' This stage has no `matrix`.' : ` There is: ${someOf(names)}.`
  problems.add(
    'REFERENCE_INVALID',
    at,
    `"${reference.text}" names nothing in the matrix.${near === undefined ? there : didYouMean(near)}`,
  )
}
