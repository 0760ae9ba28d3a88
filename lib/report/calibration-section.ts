import { cell, orderCells } from './cells.ts'
import { lineChart } from './charts.ts'
import type { Line } from './charts.ts'
import type { Models } from './compare.ts'
import { percent } from './format.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'
import { legend } from './legend.ts'
import type { Calibration } from './scores.ts'

/** Bins of fewer places say more of chance than of the model. */
const FEWEST = 20

/** Of the likeliest tokens, how many were right by how sure the model was of them, as far as that was counted. */
export const calibrationSection = (models: Models): Html | undefined => {
  const found = orderCells(Object.keys(models)).flatMap((name) => {
    const { calibration } = models[name]!.perplexity
    return calibration ? [{ name, calibration }] : []
  })
  if (found.length === 0) return undefined
  const ideal: Line = {
    ...{ name: 'As right as sure', colour: 'var(--quiet)', dashed: true },
    points: [
      [0, 0],
      [1, 1],
    ],
  }
  const lines = [...found.map(({ name, calibration }) => lineOf(name, calibration)), ideal]
  const errors = found.map(({ name, calibration }) => `${cell(name).label}: ${percent(calibration.error)}`).join('; ')
  const [id, title] = ['chart-calibration', 'Calibration on the test split']
  return html`<section aria-labelledby="calibration">
    <h2 id="calibration">How sure they are</h2>
    <figure class="single">
      <h3>${title}</h3>
      ${legend(lines.map(({ name, colour, dashed }) => ({ label: name, colour, dash: dashed ? [6, 4] : [] })))}
      ${lineChart({ id, title, description: `Expected calibration error: ${errors}` }, lines)}
      <figcaption>
        Share of places whose token was the model’s likeliest one, by the mean probability that it gave to it; bins of
        ${FEWEST} places or more. Expected calibration error: ${errors}.
      </figcaption>
    </figure>
  </section>`
}

const lineOf = (name: string, { bins }: Calibration): Line => ({
  ...{ name: cell(name).label, colour: cell(name).colour, dashed: false },
  points: bins.flatMap(({ count, confidence, accuracy }) => (count < FEWEST ? [] : [[confidence, accuracy] as const])),
})
