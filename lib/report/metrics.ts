import type { JsonObject } from '../util/json.ts'
import type { Comparison } from './compare.ts'
import type { Sweep } from './sweep.ts'
import type { ScoreRow } from './table.ts'

/** The experiment's metrics: each measure by cell, then every comparison. Models without items stand in no acc. */
export const makeMetrics = (rows: readonly ScoreRow[], comparisons: readonly Comparison[]): JsonObject => ({
  models: Object.fromEntries(rows.map(({ cell, model, parameters }) => [cell.name, { model, parameters }])),
  perplexity: byCell(rows, (row) => row.perplexity),
  ...perWord(rows),
  acc: byCell(rows, (row) => row.acc?.value),
  accNorm: byCell(rows, (row) => row.accNorm?.value),
  standardError: {
    acc: byCell(rows, (row) => finite(row.acc?.standardError)),
    accNorm: byCell(rows, (row) => finite(row.accNorm?.standardError)),
  },
  comparisons: comparisons.map(({ interval, ...comparison }) => ({
    ...comparison,
    interval: interval && [interval.low, interval.high],
  })),
})

/** Of each student of a sweep what `list` and a chart need, under its cell's name. */
export const sweepMetrics = ({ axes, cells }: Sweep): JsonObject => {
  const told = cells.map(({ row, comparisons }): [string, JsonObject] => {
    const against = comparisons.map(({ measure, b, difference, p, verdict }) => ({
      measure,
      b,
      difference,
      p,
      verdict,
    }))
    const { accNorm, acc, perplexity } = row
    const shares = acc && accNorm ? { acc: acc.value, accNorm: accNorm.value } : {}
    return [row.cell.name, { perplexity, ...shares, comparisons: against }]
  })
  return { sweep: { axes: [...axes], students: Object.fromEntries(told) } }
}

/** Only of texts whose words were counted. */
const perWord = (rows: readonly ScoreRow[]): JsonObject => {
  const perplexityPerWord = byCell(rows, (row) => row.perplexityPerWord ?? undefined)
  return Object.keys(perplexityPerWord).length === 0 ? {} : { perplexityPerWord }
}

const byCell = (rows: readonly ScoreRow[], value: (row: ScoreRow) => number | undefined): JsonObject =>
  Object.fromEntries(
    rows.flatMap((row) => {
      const found = value(row)
      return found === undefined ? [] : [[row.cell.name, found]]
    }),
  )

/** One item has no standard error: JSON knows no NaN. */
const finite = (value: number | undefined): number | undefined => (Number.isFinite(value) ? value : undefined)
