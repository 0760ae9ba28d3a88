import { writeFile } from 'node:fs/promises'
import { defineStage } from '../lib/pipeline/stage.ts'
import { readAgreement } from '../lib/report/agreement.ts'
import type { Curves } from '../lib/report/curve-section.ts'
import { readCurves } from '../lib/report/curves.ts'
import { makeReport } from '../lib/report/page.ts'
import { readScores } from '../lib/report/scores.ts'
import { readMeasured } from '../lib/report/targets.ts'
import type { JsonObject } from '../lib/util/json.ts'
import type { Result } from '../lib/util/result.ts'

export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['title', 'notes', 'parameters', 'axes', 'trainedOn'],
    properties: {
      title: { type: 'string', default: 'A small model taught by a big one', description: 'title of the page' },
      notes: { type: 'array', items: { type: 'string' }, default: [], description: 'paragraphs under the title' },
      parameters: {
        type: 'object',
        default: {},
        description: 'what the page shows as the parameters of the experiment, in a table',
      },
      baselineLine: {
        description: 'a published score, drawn into the chart of acc_norm: its label and a share from 0 to 1',
        type: 'object',
        additionalProperties: false,
        required: ['label', 'value'],
        properties: {
          label: { type: 'string', description: 'what stands at the line' },
          value: { type: 'number', minimum: 0, maximum: 1, description: 'where it is drawn, a share from 0 to 1' },
        },
      },
      trainedOn: {
        type: 'array',
        items: { type: 'string' },
        default: [],
        description: 'data sets whose training items stand in the training text',
      },
      axes: {
        type: 'array',
        items: { type: 'string' },
        default: [],
        description: "names of the axes of the sweep's matrix, in its order: the charts go along the first",
      },
    },
  },
  in: ['scores{}', 'sweep{}?', 'agreement{}?', 'curves?', 'controlCurves?', 'targets?'],
  out: ['page', 'metrics'],
  async run({ with: options, in: inputs, out, log }) {
    const models = await readAll(inputs.scores, readScores)
    const curves: Curves = {
      ...(inputs.controlCurves === undefined ? {} : { control: value(await readCurves(inputs.controlCurves)) }),
      ...(inputs.curves === undefined ? {} : { student: value(await readCurves(inputs.curves)) }),
    }
    // what the schema calls an object came from JSON
    const parameters = options.parameters as JsonObject
    const { axes } = options
    const sweep = inputs.sweep && { axes, students: await readAll(inputs.sweep, readScores) }
    const agreements = await readAll(inputs.agreement ?? {}, readAgreement)
    const targets = inputs.targets === undefined ? undefined : value(await readMeasured(inputs.targets))
    const { page, metrics } = makeReport(models, curves, { ...options, parameters }, { sweep, agreements, targets })
    await writeFile(out.page, page)
    await writeFile(out.metrics, `${JSON.stringify(metrics, null, 2)}\n`)
    log(`compared ${Object.keys({ ...models, ...sweep?.students }).length} models`)
  },
})

async function readAll<T>(
  paths: Readonly<Record<string, string>>,
  read: (path: string) => Promise<Result<T, Error>>,
): Promise<Record<string, T>> {
  const found: Record<string, T> = {}
  for (const [cell, path] of Object.entries(paths)) found[cell] = value(await read(path))
  return found
}

const value = <T>(result: Result<T, Error>): T => {
  if (!result.ok) throw result.error
  return result.value
}
