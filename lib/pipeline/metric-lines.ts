import { readFileSync } from 'node:fs'
import type { Json, JsonObject } from '../util/json.ts'
import { isRecord } from '../util/json.ts'
import type { Event } from './event.ts'
import { messageOf } from './files.ts'
import { outputPath } from './stage-inputs.ts'
import type { Prepared, Settled } from './prepare.ts'

/** A stage that trains writes what it measured to the output of this name: JSON lines, each with a `step`. */
const CURVES = 'curves'

/**
 * `metrics.jsonl`, for any program to read: a line for each point of each training's curves, `{"stage","step",…}`, in the
 * order of the stages, and `{"metrics"}` as the last. Curves of another form are left out, with a notice.
 */
export function metricLines(
  prepared: Prepared,
  settled: ReadonlyMap<string, Settled>,
  metrics: JsonObject,
  emit: (event: Event) => void,
): string {
  const lines: object[] = []
  for (const { id, out } of prepared.stages) {
    if (!Object.hasOwn(out, CURVES)) continue
    try {
      const source = readFileSync(outputPath(prepared, { stage: id, output: CURVES }, settled), 'utf8')
      lines.push(...points(source).map((point) => ofStage(id, point)))
    } catch (error) {
      const message = `The curves of stage "${id}" are left out of metrics.jsonl: ${messageOf(error)}. Write JSON lines with a number \`step\` in each, or give the output another name.`
      emit({ type: 'notice', stage: id, code: 'CURVES_UNREADABLE', message })
    }
  }
  return [...lines, { metrics }].map((line) => `${JSON.stringify(line)}\n`).join('')
}

function points(source: string): JsonObject[] {
  const lines = [...source.split('\n').entries()].filter(([, line]) => line.trim() !== '')
  return lines.map(([index, line]) => {
    const point = parse(line)
    if (isRecord(point) && typeof point['step'] === 'number') return point
    throw new Error(`line ${index + 1} is no JSON object with a number \`step\``)
  })
}

function parse(line: string): Json | undefined {
  try {
    return JSON.parse(line) as Json
  } catch {
    return undefined
  }
}

/** The stage comes first, whatever the point has under that name. */
const ofStage = (stage: string, point: JsonObject): object => Object.assign({ stage }, point, { stage })
