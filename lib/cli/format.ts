import { duration as durationOf } from '../report/format.ts'
import { isObject } from '../util/flatten.ts'
import type { Json, JsonObject } from '../util/json.ts'
import { short } from '../util/short.ts'
import { wrap } from './wrap.ts'

export { short }

/** `0.42 s`, `12 s`, `3 min 20 s`, `2 h 5 min`; on a terminal a no-break space is one like any other. */
export const duration = (seconds: number): string => durationOf(seconds).replaceAll('\u00a0', ' ')

/** `512 B`, `1.5 kB`, `12.3 GB`: thousands of bytes, as disks are sold. */
export function size(bytes: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 4)
  const unit = ['B', 'kB', 'MB', 'GB', 'TB'][power]!
  return power === 0 ? `${bytes} B` : `${(bytes / 1000 ** power).toFixed(1)} ${unit}`
}

/** Rows in columns as wide as their widest cell, two spaces apart. In lines of `width` the last cell goes on below. */
export function table(rows: readonly (readonly string[])[], width = Infinity): string {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return rows.map((row) => tableLine(row, widths, width)).join('\n')
}

/** Where the last cell starts when it has to begin on a line of its own. */
const INDENT = '    '
/** It does so where it would have less room than this. */
const NARROW = 24

function tableLine(row: readonly string[], widths: readonly number[], width: number): string {
  const padded = row.map((cell, i) => cell.padEnd(widths[i]!))
  const whole = padded.join('  ').trimEnd()
  const head = padded.slice(0, -1).map((cell) => `${cell}  `).join('') // prettier-ignore
  const last = row.at(-1) ?? ''
  const longest = Math.max(...last.split(' ').map((word) => word.length))
  // a longer word, such as a path, is left to the terminal: it can be copied whole
  if (whole.length <= width || longest > width - INDENT.length) return whole
  if (Math.max(longest, NARROW) <= width - head.length)
    return head + wrap(last, width - head.length, '').join(`\n${' '.repeat(head.length)}`)
  return [head.trimEnd(), ...wrap(last, width - INDENT.length, '').map((line) => INDENT + line)].join('\n')
}

/** The groups of numbers among metrics, and all names that stand in one. */
export function numberGroups(metrics: JsonObject): {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly [string, JsonObject])[]
} {
  const rows = Object.entries(metrics).filter(
    (entry): entry is [string, JsonObject] =>
      isObject(entry[1]) && Object.values(entry[1]).every((value) => typeof value === 'number'),
  )
  return { columns: [...new Set(rows.flatMap(([, group]) => Object.keys(group)))], rows }
}

/**
 * Metrics for people: groups of numbers as rows of one table, single values below it, then a row for each student of a
 * sweep. Tables wider than `width` go on below. What is nested deeper, lists and groups of texts stand in the record and on
 * the page.
 *
 *                 teacher  student
 *     perplexity  5.1      9.7
 */
export function metricLines(metrics: JsonObject, width = Infinity): string {
  const { columns, rows } = numberGroups(metrics)
  const cells = rows.map(([name, group]) => [name, ...columns.map((column) => numberIn(group, column))])
  const single = Object.entries(metrics).filter(([, value]) => typeof value !== 'object')
  const first = [
    cells.length > 0 ? fitted([['', ...columns], ...cells], 1, width) : '',
    table(single.map(([name, value]) => [name, short(value)])),
  ]
  const sweeps = Object.values(metrics).flatMap((value) => (isSweep(value) ? [sweepLines(value, width)] : []))
  const isText = (text: string): boolean => text !== ''
  return [first.filter(isText).join('\n'), ...sweeps].filter(isText).join('\n\n')
}

const numberIn = (group: JsonObject, name: string): string =>
  typeof group[name] === 'number' ? short(group[name]) : ''

/** The students of a sweep by the names of their cells, `2,0.5`, and the axes that these are along. */
interface Sweep {
  readonly axes: readonly string[]
  readonly students: Readonly<Record<string, JsonObject>>
}

const MOST_STUDENTS = 40

const isSweep = (value: unknown): value is Sweep =>
  isObject(value as Json) &&
  Array.isArray((value as Partial<Sweep>).axes) &&
  isObject((value as JsonObject)['students'] ?? null) &&
  Object.values((value as Sweep).students).every((student) => isObject(student))

function sweepLines({ axes, students }: Sweep, width: number): string {
  const all = Object.entries(students)
  const measures = [...new Set(all.flatMap(([, one]) => Object.keys(one).filter((name) => numberIn(one, name) !== '')))]
  const isSplit = all.every(([cell]) => cell.split(',').length === axes.length)
  const names = isSplit ? axes : ['cell']
  const rows = all
    .slice(0, MOST_STUDENTS)
    .map(([cell, one]) => [...(isSplit ? cell.split(',') : [cell]), ...measures.map((name) => numberIn(one, name))])
  const more = all.length > rows.length ? `\n… and ${all.length - rows.length} more, on the page` : ''
  return `${fitted([[...names, ...measures], ...rows], names.length, width)}${more}`
}

/** A table, or where its lines would be longer, several below one another, each with the first columns. */
function fitted(rows: readonly (readonly string[])[], kept: number, width: number): string {
  const widths = rows[0]!.map((_, i) => 2 + Math.max(...rows.map((row) => row[i]!.length)))
  const head = widths.slice(0, kept).reduce((sum, one) => sum + one, 0)
  const parts: number[][] = [[]]
  let used = head
  for (const [i, one] of widths.entries()) {
    if (i < kept) continue
    if (parts.at(-1)!.length > 0 && used + one - 2 > width) {
      parts.push([])
      used = head
    }
    parts.at(-1)!.push(i)
    used += one
  }
  return parts.map((part) => table(rows.map((row) => [...row.slice(0, kept), ...part.map((i) => row[i]!)]))).join('\n')
}
