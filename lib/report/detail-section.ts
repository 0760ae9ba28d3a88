import { cell, orderCells } from './cells.ts'
import type { Models } from './compare.ts'
import { grouped, percent, percentInterval, perplexity } from './format.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'
import { dot } from './legend.ts'
import type { ActivityScores, Estimate, LastWordScores } from './scores.ts'

/** What is not compared, folded: both kinds of acc_norm, last words, and the shares by activity. */
export const scoreDetails = (models: Models): Html => {
  const names = orderCells(Object.keys(models))
  const having = <T>(of: (name: string) => T | undefined): readonly (readonly [string, T])[] =>
    names.flatMap((name) => {
      const found = of(name)
      return found === undefined ? [] : [[name, found] as const]
    })
  const estimates = having((name) => models[name]!.items?.estimates)
  const lastWords = having((name) => models[name]!.lastWords)
  const activities = having((name) => models[name]!.items?.activities).filter(([, found]) => found.length > 0)
  return html`${estimates.length > 0 ? fold('Both kinds of acc_norm, with bootstrap intervals', estimateTable(estimates)) : undefined}
  ${lastWords.length > 0 ? fold('Last words, with bootstrap intervals', lastWordTable(lastWords)) : undefined}
  ${activities.length > 0 ? fold('By activity', activityTable(activities)) : undefined}`
}

const fold = (summary: string, table: Html): Html =>
  html`<details>
    <summary>${summary}</summary>
    ${table}
  </details>`

type ByModel<T> = readonly (readonly [name: string, found: T])[]

const KINDS = {
  acc: 'acc',
  accNormByTokens: 'acc_norm by tokens',
  accNormByCharacters: 'acc_norm by characters',
} as const
type Kind = keyof typeof KINDS

const estimateTable = (models: ByModel<Readonly<Record<Kind, Estimate>>>): Html =>
  grid(
    ['Model', ...Object.values(KINDS)],
    models.map(([name, found]) => [nameOf(name), ...(Object.keys(KINDS) as Kind[]).map((kind) => share(found[kind]))]),
  )

const lastWordTable = (models: ByModel<LastWordScores>): Html =>
  grid(
    ['Model', 'Last words right', 'Perplexity of the last word'],
    models.map(
      ([
        name,
        {
          acc,
          perplexity: { value, low, high },
        },
      ]) => [
        nameOf(name),
        share(acc),
        html`<span>${perplexity(value)}<span class="interval">${perplexity(low)} to ${perplexity(high)}</span></span>`,
      ],
    ),
  )

/** All models were asked the same items: the activities are those of the first. */
const activityTable = (models: ByModel<readonly ActivityScores[]>): Html =>
  grid(
    ['Activity', 'Items', ...models.map(([name]) => `${cell(name).label}, acc_norm`)],
    models[0]![1].map(({ activity, count }) => [
      html`${activity}`,
      html`${grouped(count)}`,
      ...models.map(([, found]) => activityShare(found, activity)),
    ]),
  )

const activityShare = (found: readonly ActivityScores[], activity: string): Html => {
  const own = found.find((one) => one.activity === activity)
  return html`${own === undefined ? '–' : percent(own.accNorm)}`
}

const nameOf = (name: string): Html => html`${dot(cell(name).colour)}${cell(name).label}`

const share = ({ value, standardError, ...bounds }: Estimate): Html =>
  html`<span
    >${percent(value)} <span class="quiet">± ${(100 * standardError).toFixed(1)}</span
    ><span class="interval">${percentInterval(bounds)}</span></span
  >`

/** A table; the first cell of a line heads it. */
export const grid = (columns: readonly string[], lines: readonly (readonly Html[])[]): Html =>
  html`<table role="table" class="comparisons">
    <thead>
      <tr>
        ${columns.map((column) => html`<th scope="col">${column}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${lines.map(
        ([head, ...cells]) =>
          html`<tr role="row">
            <th scope="row">${head}</th>
            ${cells.map((one, i) => html`<td data-label="${columns[i + 1]}">${one}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`
