import type { AgreementReport, Agreements } from './agreement.ts'
import { bandChart, shares } from './band-chart.ts'
import type { Band, Scale } from './band-chart.ts'
import { cell, orderCells } from './cells.ts'
import { grouped, percent } from './format.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'
import { legend } from './legend.ts'
import { tokenChart } from './token-chart.ts'
import type { TokenRow } from './token-chart.ts'

/** How near each model's distributions lie to the teacher's: by place in the row, and token by token after prompts. */
export const agreementSection = (agreements: Agreements): Html | undefined => {
  const names = orderCells(Object.keys(agreements))
  if (names.length === 0) return undefined
  const prompts = agreements[names[0]!]!.prompts.map(({ prompt }) => prompt)
  return html`<section aria-labelledby="agreement">
    <h2 id="agreement">How near they come to the teacher</h2>
    <div class="figures">${SHOWN.map((shown) => positionFigure(shown, names, agreements))}</div>
    ${prompts.length === 0 ? undefined : promptFigures(prompts, names, agreements)}
  </section>`
}

type Means = Pick<AgreementReport, 'kl' | 'top1'>

interface Shown {
  readonly id: string
  readonly title: string
  readonly value: (means: Means) => number
  readonly words: (value: number) => string
  readonly scale: Scale
}

const SHOWN: readonly Shown[] = [
  {
    id: 'agreement-kl',
    title: 'Divergence from the teacher, nats',
    value: ({ kl }) => kl,
    words: (value) => String(Number(value.toPrecision(3))),
    scale: { tick: (value) => String(Number(value.toPrecision(3))) },
  },
  {
    id: 'agreement-top1',
    title: 'The same likeliest token',
    value: ({ top1 }) => top1,
    words: percent,
    scale: shares,
  },
]

const positionFigure = ({ id, title, value, words, scale }: Shown, names: readonly string[], all: Agreements): Html => {
  const bands = names.map((name, i): Band => {
    const points = all[name]!.positions.map((one) => ({ at: String(one.from), value: value(one), interval: null }))
    return { label: cell(name).label, colour: cell(name).colour, dash: [[], [6, 4], [2, 3]][i % 3]!, points }
  })
  const means = names.map((name) => `${cell(name).label}: ${words(value(all[name]!))}`).join('; ')
  return html`<figure>
    <h3>${title}</h3>
    ${legend(bands.map(({ label, colour, dash }) => ({ label, colour, dash })))}
    ${bandChart({ id: `chart-${id}`, title, description: means }, bands, [], scale)}
    <figcaption>
      By the number of tokens before, from there up to the next mark; in all ${grouped(all[names[0]!]!.tokens)} places
      of the test split, ${means}.
    </figcaption>
  </figure>`
}

const promptFigures = (prompts: readonly string[], names: readonly string[], agreements: Agreements): Html =>
  html`<h3 class="after">What comes next: the teacher’s likeliest tokens</h3>
    ${legend([cell('teacher'), ...names.map(cell)].map(({ label, colour }) => ({ label, colour, dash: [] })))}
    <div class="figures prompts">${prompts.map((prompt, at) => promptFigure(prompt, at, names, agreements))}</div>`

const promptFigure = (prompt: string, at: number, names: readonly string[], agreements: Agreements): Html => {
  const rows = agreements[names[0]!]!.prompts[at]!.next.map(({ token, teacher }, i): TokenRow => {
    const dots = names.map((name) => ({
      colour: cell(name).colour,
      value: agreements[name]!.prompts[at]!.next[i]!.student,
    }))
    return { token, bar: teacher, dots }
  })
  const told = rows.slice(0, 5).map(({ token, bar }) => `${token.trim()} ${percent(bar)}`)
  const text = { id: `chart-next-${at}`, title: `After: ${prompt}`, description: `The teacher: ${told.join(', ')}` }
  return html`<figure>
    <h4>${prompt.trimEnd()} …</h4>
    ${tokenChart(text, rows, cell('teacher').colour)}
  </figure>`
}
