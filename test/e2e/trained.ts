import type { Context } from './command.ts'
import { Place } from './command.ts'

/** Two trainings in cells, one more, and metrics; none of them takes any time. */
const PIPELINE = `version: 1
metrics: report.metrics
params:
  rates: [2, 0.9]
  note: { text: 'a "b"', list: [1, 2], on: true }
  untouched: null
stages:
  distill:
    matrix: { rate: '\${rates}' }
    cmd: [node, train.mjs, '\${with.rate}', '\${out.curves}']
    in: { code: 'file:train.mjs' }
    with: { rate: '\${matrix.rate}' }
    out: [curves]
  control:
    cmd: [node, train.mjs, '1', '\${out.curves}']
    in: { code: 'file:train.mjs' }
    out: [curves]
  report:
    cmd: [node, report.mjs, '\${with.note}', '\${out.metrics}']
    in: { code: 'file:report.mjs', all: distill.curves, one: control.curves }
    with: { note: '\${note.text}' }
    out: [metrics]
`

const TRAIN = `import { writeFileSync } from 'node:fs'
const [rate, file] = process.argv.slice(2)
const points = [1, 2, 3].map((step) => ({ step, epoch: step / 3, loss: rate / step, terms: { kl: step / 4 }, rate: Number(rate) }))
writeFileSync(file, points.map((point) => JSON.stringify({ stage: 'mine', ...point })).join('\\n'))
`

export const METRICS = {
  perplexity: { teacher: 2.5, student: 3.25 },
  cells: { 'distill[2]': 1.5 },
  verdict: 'even',
  lists: [1, 2],
}

const REPORT = `import { writeFileSync } from 'node:fs'
writeFileSync(process.argv[3], ${JSON.stringify(JSON.stringify(METRICS))})
`

/** The real command in a temporary folder, with trainings that take no time. */
export function makeTrained(context: Context): Place {
  const place = new Place(context)
  place.write('pipeline.yaml', PIPELINE)
  place.write('train.mjs', TRAIN)
  place.write('report.mjs', REPORT)
  return place
}

/** `[step, loss]` of the points that a training with this rate writes. */
export const losses = (rate: number, steps = 3): [number, number][] =>
  Array.from({ length: steps }, (_, n) => [n + 1, rate / (n + 1)])
