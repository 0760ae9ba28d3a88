import { cell } from './cells.ts'
import { scoreChart } from './charts.ts'
import type { Mark } from './charts.ts'
import type { Comparison, Models } from './compare.ts'
import { scoreDetails } from './detail-section.ts'
import {
  grouped,
  millions,
  percent,
  percentExact,
  percentInterval,
  perplexity,
  points,
  probability,
  signed,
} from './format.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'
import { dot, legend } from './legend.ts'
import type { ScoreRow, Share } from './table.ts'

/** The score table, the shares of right answers drawn with their intervals, and what else was counted. */
export const scoreSection = (rows: readonly ScoreRow[], marks: readonly Mark[], models: Models): Html => {
  const answered = rows.filter((row) => row.accNorm !== null)
  return html`<section aria-labelledby="scores">
    <h2 id="scores">Scores</h2>
    ${scoreTable(rows)} ${answered.length === 0 ? undefined : scoreFigure(answered, marks)} ${scoreDetails(models)}
  </section>`
}

/** Every test that was made, also those that showed nothing. */
export const comparisonSection = (comparisons: readonly Comparison[]): Html | undefined =>
  comparisons.length === 0
    ? undefined
    : html`<section aria-labelledby="comparisons">
        <h2 id="comparisons">Every comparison made</h2>
        <table role="table" class="comparisons">
          <thead>
            <tr>
              <th scope="col">Measure</th>
              <th scope="col">Difference</th>
              <th scope="col">95 % interval</th>
              <th scope="col">On</th>
              <th scope="col">Test</th>
              <th scope="col">Verdict</th>
            </tr>
          </thead>
          ${groups(comparisons).map(comparisonGroup)}
        </table>
      </section>`

const scoreTable = (rows: readonly ScoreRow[]): Html => {
  const perWord = rows.some((row) => row.perplexityPerWord !== null)
  return html`<table role="table" class="scores">
    <thead>
      <tr>
        <th scope="col">Model</th>
        <th scope="col">Parameters</th>
        <th scope="col">Perplexity</th>
        ${perWord ? html`<th scope="col">Perplexity per word</th>` : undefined}
        <th scope="col">acc</th>
        <th scope="col">acc_norm</th>
      </tr>
    </thead>
    <tbody>
      ${rows.map((row) => scoreLine(row, perWord))}
    </tbody>
  </table>`
}

const scoreLine = (row: ScoreRow, perWord: boolean): Html =>
  html`<tr role="row">
    <th scope="row">${dot(row.cell.colour)}${row.cell.label}<span class="model">${row.model}</span></th>
    <td data-label="Parameters">${millions(row.parameters)}</td>
    <td data-label="Perplexity"><span>${perplexity(row.perplexity)}${interval(perplexityBounds(row))}</span></td>
    ${perWord ? html`<td data-label="Perplexity per word">${perWordCell(row)}</td>` : undefined}
    <td data-label="acc">${shareCell(row.acc)}</td>
    <td data-label="acc_norm">${shareCell(row.accNorm)}</td>
  </tr>`

const perplexityBounds = ({ perplexityInterval: bounds }: ScoreRow): string | undefined =>
  bounds === null ? undefined : `${perplexity(bounds.low)} to ${perplexity(bounds.high)}`

const perWordCell = ({ perplexityPerWord: value }: ScoreRow): string => (value === null ? '–' : perplexity(value))

const shareCell = (share: Share | null): Html =>
  share === null
    ? html`–`
    : html`<span
        >${percent(share.value)}
        <span class="quiet">± ${(100 * share.standardError).toFixed(1)}</span
        >${interval(percentInterval(share.interval))}</span
      >`

const interval = (bounds: string | undefined): Html | undefined =>
  bounds === undefined ? undefined : html`<span class="interval">${bounds}</span>`

const scoreFigure = (rows: readonly ScoreRow[], marks: readonly Mark[]): Html => {
  const told = rows.map(({ cell: { label }, accNorm }) => `${label} ${accNorm ? percent(accNorm.value) : ''}`)
  const text = {
    id: 'chart-scores',
    title: 'Share of questions answered right, with 95\u00a0% intervals',
    description: [...told, ...marks.map(({ label, value }) => `${label} ${percentExact(value)}`)].join('; '),
  }
  return html`<figure class="single">
    <h3>Questions answered right, acc_norm</h3>
    ${scoreChart(text, rows, marks)}
    ${legend(marks.map(({ label, value, dash }) => ({ label: `${label}, ${percentExact(value)}`, colour: 'var(--quiet)', dash })))}
    <figcaption>Points are shares of right answers, lines their 95 % intervals.</figcaption>
  </figure>`
}

const groups = (comparisons: readonly Comparison[]): readonly (readonly Comparison[])[] => {
  const key = ({ a, b }: Comparison) => JSON.stringify([a, b])
  return [...new Set(comparisons.map(key))].map((each) => comparisons.filter((one) => key(one) === each))
}

const comparisonGroup = (group: readonly Comparison[]): Html => {
  const { a, b } = group[0]!
  return html`<tbody>
    <tr>
      <th scope="rowgroup" colspan="6" class="pair">${dot(cell(a).colour)}${cell(a).label} against ${cell(b).words}</th>
    </tr>
    ${group.map(comparisonLine)}
  </tbody>`
}

const comparisonLine = (comparison: Comparison): Html => {
  const { measure, n, discordant, p, verdict } = comparison
  const asked = discordant === null ? `${grouped(n)} documents` : `${grouped(n)} items, ${grouped(discordant)} differ`
  return html`<tr role="row">
    <td data-label="Measure">${measure === 'accNorm' ? 'acc_norm' : measure}</td>
    <td data-label="Difference">${difference(comparison)}</td>
    <td data-label="95 % interval">${bounds(comparison) ?? '–'}</td>
    <td data-label="On">${asked}</td>
    <td data-label="Test">${p === null ? '–' : probability(p)}</td>
    <td data-label="Verdict">${verdict}</td>
  </tr>`
}

const difference = ({ measure, difference: value }: Comparison): string =>
  measure === 'perplexity' ? signed(value, 2) : `${points(value)} points`

const bounds = ({ measure, interval: found }: Comparison): string | undefined => {
  if (found === null) return undefined
  const show = (value: number) => (measure === 'perplexity' ? signed(value, 2) : points(value))
  return `${show(found.low)} to ${show(found.high)}`
}
