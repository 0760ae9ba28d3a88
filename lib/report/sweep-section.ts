import { cell } from './cells.ts'
import type { Comparison } from './compare.ts'
import { percent, percentInterval, perplexity, points, probability, signed } from './format.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'
import { dot, legend } from './legend.ts'
import type { Interval } from './statistics.ts'
import { bandChart, shares } from './band-chart.ts'
import type { Band, Level, Scale } from './band-chart.ts'
import type { Sweep, SweepCell } from './sweep.ts'
import type { ScoreRow } from './table.ts'

/** Score and perplexity of the students by their parameters, beside their rivals'; then every student in a table. */
export const sweepSection = (sweep: Sweep, rows: readonly ScoreRow[]): Html =>
  html`<section aria-labelledby="sweep">
    <h2 id="sweep">The sweep</h2>
    <div class="figures">${SHOWN.flatMap((shown) => sweepFigure(shown, sweep, rows) ?? [])}</div>
    ${sweepTable(sweep)}
  </section>`

interface Shown {
  readonly id: string
  readonly title: string
  readonly value: (row: ScoreRow) => { readonly value: number; readonly interval: Interval | null } | undefined
  readonly words: (value: number) => string
  readonly scale: Scale
}

const SHOWN: readonly Shown[] = [
  {
    id: 'sweep-items',
    title: 'Questions answered right, acc_norm',
    value: ({ accNorm }) => accNorm ?? undefined,
    words: percent,
    scale: shares,
  },
  {
    id: 'sweep-perplexity',
    title: 'Perplexity on the test split',
    value: ({ perplexity: value, perplexityInterval: interval }) => ({ value, interval }),
    words: perplexity,
    scale: { tick: perplexity },
  },
]

const COLOURS = ['var(--student)', 'var(--other)', 'var(--ink)'] as const
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3]] as const

const sweepFigure = (shown: Shown, { axes, cells, rivals }: Sweep, rows: readonly ScoreRow[]): Html | undefined => {
  const bands = bandsOf(shown, axes, cells)
  const levels = rivals.flatMap((rival, i): Level[] => {
    const row = rows.find((one) => one.cell.name === rival)
    const found = row && shown.value(row)
    return found ? [{ label: cell(rival).label, value: found.value, dash: i === 0 ? [12, 3, 2, 3] : [2, 3] }] : []
  })
  if (bands.length === 0) return undefined
  const told = bands.map(({ label, points: own }) => {
    return `${label}: ${own.map(({ at, value }) => `${shown.words(value)} at ${axes[0]!} ${at}`).join(', ')}`
  })
  const description = [...told, ...levels.map(({ label, value }) => `${label}: ${shown.words(value)}`)].join('; ')
  return html`<figure>
    <h3>${shown.title}</h3>
    ${legend([
      ...bands.map(({ label, colour, dash }) => ({ label, colour, dash })),
      ...levels.map(({ label, value, dash }) => ({
        ...{ label: `${label}, ${shown.words(value)}`, colour: 'var(--quiet)', dash },
      })),
    ])}
    ${bandChart({ id: `chart-${shown.id}`, title: shown.title, description }, bands, levels, shown.scale)}
    <figcaption>By ${axes[0]}. Bars are 95 % intervals of each model by itself.</figcaption>
  </figure>`
}

/** A line for each choice of the other axes. */
const bandsOf = (shown: Shown, axes: readonly string[], cells: readonly SweepCell[]): readonly Band[] => {
  const label = ({ values }: SweepCell): string =>
    axes.length === 1
      ? 'Student, distilled'
      : axes
          .slice(1)
          .map((axis, i) => `${axis} ${values[i + 1]!}`)
          .join(', ')
  const labels = [...new Set(cells.map(label))]
  return labels.flatMap((one, i): Band[] => {
    const own = cells
      .filter((each) => label(each) === one)
      .flatMap(({ values, row }) => {
        const found = shown.value(row)
        return found ? [{ at: values[0]!, ...found }] : []
      })
    const style = { colour: COLOURS[i % COLOURS.length]!, dash: DASHES[i % DASHES.length]! }
    return own.length === 0 ? [] : [{ label: one, ...style, points: own }]
  })
}

const sweepTable = ({ axes, cells, rivals }: Sweep): Html => {
  const columns = [...axes, 'Perplexity', 'acc_norm', ...rivals.map((rival) => `Against ${cell(rival).words}`)]
  return html`<table role="table" class="comparisons">
    <thead>
      <tr>
        ${columns.map((column) => html`<th scope="col">${column}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${cells.map((one) => sweepLine(one, columns, rivals))}
    </tbody>
  </table>`
}

const sweepLine = (one: SweepCell, columns: readonly string[], rivals: readonly string[]): Html => {
  const { values, row, comparisons } = one
  const shares = row.accNorm
    ? html`<span>${percent(row.accNorm.value)}${small(percentInterval(row.accNorm.interval))}</span>`
    : '–'
  const told = rivals.map((rival) => outcomes(comparisons.filter(({ b }) => b === rival)))
  const found = [...values.slice(1), perplexity(row.perplexity), shares, ...told]
  return html`<tr role="row">
    <th scope="row">${dot('var(--student)')}${values[0]}</th>
    ${found.map((each, i) => html`<td data-label="${columns[i + 1]}">${each}</td>`)}
  </tr>`
}

/** acc_norm, then perplexity, as far as they were tested. */
const outcomes = (comparisons: readonly Comparison[]): Html => {
  const told = comparisons.flatMap(({ measure, difference, p, verdict }) => {
    if (p === null || measure === 'acc') return []
    const apart = measure === 'perplexity' ? `perplexity ${signed(difference, 2)}` : `${points(difference)} points`
    return [html`<span>${apart}</span>${small(`${probability(p)}: ${verdict}`)}`]
  })
  return html`<span class="outcome">${told.length === 0 ? '–' : told}</span>`
}

const small = (text: string): Html => html`<span class="interval">${text}</span>`
