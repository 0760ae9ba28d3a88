import { duration as durationOf } from '../report/format.ts'
import { isObject } from '../util/flatten.ts'
import type { JsonObject } from '../util/json.ts'
import { short } from '../util/short.ts'

export { short }

/** `0.42 s`, `12 s`, `3 min 20 s`, `2 h 5 min`; on a terminal a no-break space is one like any other. */
export const duration = (seconds: number): string => durationOf(seconds).replaceAll('\u00a0', ' ')

/** `512 B`, `1.5 kB`, `12.3 GB`: thousands of bytes, as disks are sold. */
export function size(bytes: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 4)
  const unit = ['B', 'kB', 'MB', 'GB', 'TB'][power]!
  return power === 0 ? `${bytes} B` : `${(bytes / 1000 ** power).toFixed(1)} ${unit}`
}

/** Rows in columns as wide as their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
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
 * Metrics for people: groups of numbers as rows of one table, single values below it. What is nested deeper, lists and
 * groups of texts stand in the record and on the page.
 *
 *                 teacher  student
 *     perplexity  5.1      9.7
 */
export function metricLines(metrics: JsonObject): string {
  const { columns, rows } = numberGroups(metrics)
  const cells = rows.map(([name, group]) => [
    name,
    ...columns.map((column) => short(group[column] ?? null).replace('null', '')),
  ])
  const single = Object.entries(metrics).filter(([, value]) => typeof value !== 'object')
  const tables = [
    cells.length > 0 ? [['', ...columns], ...cells] : [],
    single.map(([name, value]) => [name, short(value)]),
  ]
  return tables
    .filter((rows) => rows.length > 0)
    .map(table)
    .join('\n')
}
