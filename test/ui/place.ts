import type { Context } from '../e2e/command.ts'
import { Place } from '../e2e/command.ts'

/** Two trainings that say how far they are, and what reads them; `slow` makes each step wait. */
const TRAIN = `import { writeFileSync } from 'node:fs'
export default {
  params: { type: 'object', additionalProperties: false, properties: {
    rate: { type: 'number', default: 0.1 }, steps: { type: 'integer', default: 12 }, slow: { type: 'integer', default: 0 } } },
  in: [], out: ['curves'],
  async run({ with: { rate, steps, slow }, out, log, progress }) {
    const lines = []
    for (let step = 1; step <= steps; step++) {
      const loss = 3 / (1 + rate * step)
      lines.push(JSON.stringify({ step, loss, ...(step % 4 === 0 ? { validationLoss: loss + 0.1 } : {}) }))
      log('step ' + step)
      progress({ done: step, total: steps, unit: 'steps', loss })
      if (slow > 0) await new Promise((resolve) => setTimeout(resolve, slow))
    }
    writeFileSync(out.curves, lines.join('\\n'))
  },
}
`
const MEASURE = `import { readFileSync, writeFileSync } from 'node:fs'
export default {
  params: { type: 'object' }, in: ['curves'], out: ['metrics', 'page'],
  async run({ in: { curves }, out }) {
    const last = JSON.parse(readFileSync(curves, 'utf8').trim().split('\\n').at(-1))
    writeFileSync(out.metrics, JSON.stringify({ verdict: 'fine', loss: { ideal: 0.5, train: last.loss } }))
    writeFileSync(out.page, '<!doctype html><title>report</title><script>window.ran = true</script><p>The report.</p>')
  },
}
`
const YAML = `version: 1
metrics: measure.metrics
page: measure.page
params: { rate: 0.1, slow: 0, words: "it's so" }
stages:
  train: { run: stages/train.js, with: { rate: "\${rate}", slow: "\${slow}" }, out: [curves] }
  measure: { run: stages/measure.js, in: { curves: train.curves }, with: { words: "\${words}" }, out: [metrics: metrics.json, page: page.html] }
`

/** A project that trains in no time. */
export function makeTraining(context: Context): Place {
  const place = new Place(context)
  place.write('package.json', '{"name":"mine","version":"0.0.0","type":"module"}')
  place.write('stages/train.js', TRAIN)
  place.write('stages/measure.js', MEASURE)
  place.write('pipeline.yaml', YAML)
  return place
}
