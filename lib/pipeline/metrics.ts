import { readFileSync } from 'node:fs'
import { Failure } from '../util/failure.ts'
import type { Json, JsonObject } from '../util/json.ts'
import { messageOf } from './files.ts'
import { outputPath } from './stage-inputs.ts'
import type { Prepared, Settled } from './prepare.ts'

/** The content of the output that `metrics:` names; nothing where none is named or it is not part of this run. */
export function readMetrics(prepared: Prepared, settled: ReadonlyMap<string, Settled>): JsonObject {
  const { metrics } = prepared.pipeline
  if (metrics === undefined || !settled.has(metrics.stage)) return {}
  const file = outputPath(prepared, metrics, settled)
  const name = `${metrics.stage}.${metrics.output}`
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as Json
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
    throw new Error('it is no JSON object')
  } catch (error) {
    throw new Failure('METRICS_INVALID', `The metrics "${name}" ("${file}") cannot be read: ${messageOf(error)}`, {
      exitCode: 1,
    })
  }
}
