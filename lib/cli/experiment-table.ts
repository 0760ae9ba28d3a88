import type { Json } from '../util/json.ts'
import { differingParameters, fieldsOf, isMetric, shortName, tellingFirst } from '../pipeline/fields.ts'
import type { Row } from '../pipeline/fields.ts'
import { short, table } from './format.ts'
import { style } from './style.ts'

/** Where nobody says how wide the terminal is. */
const WIDTH = 110
/** Characters of a value; the whole stands in `show`. */
const LONGEST = 24

/** Spaces between two columns. */
const GAP = 2

interface Column {
  readonly name: string
  readonly cells: readonly string[]
}

/**
 * Experiments as lines no wider than the terminal: what they are, the fields that were asked for, the parameters in
 * which they differ, and metrics as long as there is room.
 */
export function experimentTable(rows: readonly Row[], asked: readonly string[]): string {
  const fields = fieldsOf(rows)
  const differing = differingParameters(rows, fields)
  const metrics = fields.filter(
    (field) => isMetric(field) && rows.some(({ values }) => !Array.isArray(values.get(field)?.[0])),
  )
  const shown = new Set([...asked, ...differing, ...tellingFirst(metrics, rows)])
  for (const known of ['at', 'tag', 'pinned']) shown.delete(known)
  const named = [...shown].map((field) =>
    column(shortName(field, fields), rows, ({ values }) => words(values.get(field)?.[0])),
  )
  const first = [
    column('experiment', rows, ({ experiment }) => experiment.record.hash.slice(0, 16)),
    column('when', rows, ({ experiment }) => experiment.record.at.slice(0, 16).replace('T', ' ')),
    column('tags', rows, ({ experiment }) => experiment.tags.join(' ')),
  ]
  const pinned = column('pinned', rows, ({ experiment }) => (experiment.pinned ? 'yes' : ''))
  return fitted(first, pinned, named)
}

const column = (name: string, rows: readonly Row[], cell: (row: Row) => string): Column => ({
  name,
  cells: rows.map((row) => cut(cell(row))),
})

function words(value: Json | undefined): string {
  if (value === undefined) return ''
  return typeof value === 'string' ? value : short(value)
}

const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text)

/** The first column always, then what fits of those in which anything stands; `pinned` stands last. */
function fitted(first: readonly Column[], pinned: Column, named: readonly Column[]): string {
  const filled = [...first, pinned, ...named].filter(({ cells }) => cells.some((text) => text !== ''))
  const width = terminalWidth()
  let used = -GAP
  const fitting = filled.map((one) => (used += GAP + widthOf(one)) <= width)
  const count = fitting.includes(false) ? Math.max(1, fitting.indexOf(false)) : filled.length
  const fits = filled.slice(0, count)
  const shown = [...fits.filter((one) => one !== pinned), ...fits.filter((one) => one === pinned)]
  const lines = pinned.cells.map((_, i) => shown.map(({ cells }) => cells[i]!))
  const [head = '', ...rest] = table([shown.map(({ name }) => name), ...lines]).split('\n')
  const left = filled.slice(count).map(({ name }) => name)
  return [style('bold', head), ...rest, ...leftOut(left, width)].join('\n')
}

const widthOf = ({ name, cells }: Column): number => Math.max(name.length, ...cells.map((text) => text.length))

const terminalWidth = (): number => process.stdout.columns || Number(process.env['COLUMNS']) || WIDTH

function leftOut(names: readonly string[], width: number): string[] {
  const text = `${names.length} more, shown by --sort NAME or --csv: ${names.join(', ')}`
  return names.length === 0 ? [] : ['', text.length > width ? `${text.slice(0, width - 1)}…` : text]
}
