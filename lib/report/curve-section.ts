import { cell } from './cells.ts'
import { lineChart, stepsPerPoint } from './charts.ts'
import type { Line } from './charts.ts'
import type { CurvePoint } from './curves.ts'
import { distanceCaption } from './distances.ts'
import { perplexity } from './format.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'
import { legend } from './legend.ts'

/** A score from elsewhere, drawn across a chart: `{ label: 'GPT-2 124M, published', value: 0.2955 }`. */
export interface BaselineLine {
  readonly label: string
  readonly value: number
}

/** Curves by the cell of the trained model. */
export type Curves = Readonly<Record<string, readonly CurvePoint[]>>

/** How the trainings went: validation, cross-entropy, distances to the teacher, rate and gradient, as far as written. */
export const curveSection = (curves: Curves, line?: BaselineLine): Html | undefined => {
  const made = [
    validationFigure(curves),
    questionFigure(curves, line),
    lossFigure(curves),
    ...distanceFigures(curves),
    ...optimizerFigures(curves),
  ]
  const figures = made.filter((one) => one !== undefined)
  if (figures.length === 0) return undefined
  return html`<section aria-labelledby="training">
    <h2 id="training">Training</h2>
    <div class="figures">${figures}</div>
  </section>`
}

const validationFigure = (curves: Curves): Html | undefined => {
  const lines = linesOf(curves, ({ validationLoss }) =>
    validationLoss === undefined ? undefined : Math.exp(validationLoss),
  )
  const lowest = lines.map((line) => {
    const [step, value] = line.points.reduce((best, point) => (point[1] < best[1] ? point : best))
    return `${line.name}: ${perplexity(value)} at step ${step}`
  })
  return figure('validation', 'Perplexity on the validation split', lines, `By step. Lowest: ${lowest.join('; ')}.`)
}

/** Beside them a score from elsewhere, across all steps. */
const questionFigure = (curves: Curves, line: BaselineLine | undefined): Html | undefined => {
  const lines = linesOf(curves, ({ accNorm }) => (accNorm === undefined ? undefined : 100 * accNorm))
  const steps = lines.flatMap(({ points }) => points.map(([step]) => step))
  const level = line === undefined ? [] : [{ ...line, steps: [Math.min(...steps), Math.max(...steps)] as const }]
  const drawn = level.map(({ label, value, steps: [first, last] }): Line => ({
    ...{ name: label, colour: 'var(--quiet)', dashed: true },
    points: [
      [first, 100 * value],
      [last, 100 * value],
    ],
  }))
  const caption =
    'By step, acc_norm in percent, of the questions that were asked at validations. Nothing was chosen by it.'
  return lines.length === 0 ? undefined : figure('questions', 'Questions answered right', [...lines, ...drawn], caption)
}

const lossFigure = (curves: Curves): Html | undefined => {
  const all = Object.values(curves).flat()
  // without a teacher the loss is the cross-entropy; with one it is a sum that no other training shares
  const crossEntropy = (point: CurvePoint) => point.ce ?? (point.terms === undefined ? point.loss : undefined)
  const comparable = all.every((point) => crossEntropy(point) !== undefined)
  const lines = linesOf(curves, comparable ? crossEntropy : (point) => point.loss)
  return comparable
    ? figure('loss', 'Cross-entropy on the training text', lines, 'By step, nats per token.')
    : figure(
        'loss',
        'Training loss',
        lines,
        'By step. The trainings minimise different sums: compare shapes, not heights.',
      )
}

/** One a term: they are measured in units of their own. */
const distanceFigures = (curves: Curves): readonly (Html | undefined)[] => {
  const points = Object.values(curves).flat()
  const names = [...new Set(points.flatMap(({ terms }) => Object.keys(terms ?? {})))]
  return names.map((name, index) => {
    const lines = linesOf(curves, (point) => point.terms?.[name])
    const title = names.length === 1 ? 'Distance to the teacher' : `Distance to the teacher: ${name}`
    return figure(`distance-${index}`, title, lines, distanceCaption(name))
  })
}

/** What the optimizer was given: the rate in thousandths, which an axis has room for. */
const optimizerFigures = (curves: Curves): readonly (Html | undefined)[] => [
  figure(
    'rate',
    'Learning rate × 1,000',
    linesOf(curves, ({ rate }) => 1000 * rate),
    'By step.',
  ),
  figure(
    'norm',
    'Norm of the gradient',
    linesOf(curves, ({ gradNorm }) => gradNorm),
    'By step, before it is clipped.',
  ),
]

const linesOf = (curves: Curves, value: (point: CurvePoint) => number | undefined): readonly Line[] =>
  Object.entries(curves).flatMap(([name, points]) => {
    const { label, colour } = cell(name)
    const found = points.flatMap((point) => {
      const y = value(point)
      return y === undefined ? [] : [[point.step, y] as const]
    })
    return found.length === 0 ? [] : [{ name: label, colour, dashed: name !== 'student', points: found }]
  })

const figure = (id: string, title: string, lines: readonly Line[], caption: string): Html | undefined => {
  if (lines.length === 0) return undefined
  const ends = lines.map(({ name, points }) => {
    const [first, last] = [points[0]!, points.at(-1)!]
    return `${name}: ${first[1].toFixed(2)} at step ${first[0]}, ${last[1].toFixed(2)} at step ${last[0]}`
  })
  const bin = Math.max(...lines.map((line) => stepsPerPoint(line.points)))
  return html`<figure>
    <h3>${title}</h3>
    ${legend(lines.map(({ name, colour, dashed }) => ({ label: name, colour, dash: dashed ? [6, 4] : [] })))}
    ${lineChart({ id: `chart-${id}`, title, description: ends.join('; ') }, lines)}
    <figcaption>${caption}${bin > 1 ? ` Points are means of ${bin} neighbours.` : ''}</figcaption>
  </figure>`
}
