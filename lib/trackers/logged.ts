import { readFileSync } from 'node:fs'
import type { ExperimentRecord, ListedExperiment } from '../pipeline/experiment.ts'
import { Failure } from '../util/failure.ts'
import { flatten } from '../util/flatten.ts'
import type { JsonObject } from '../util/json.ts'
import { isRecord } from '../util/json.ts'

/** An experiment as trackers take it. */
export interface Logged {
  readonly hash: string
  /** The hash's first digits. */
  readonly name: string
  /** When it was recorded, milliseconds since 1970. */
  readonly at: number
  readonly commit: string | null
  readonly params: JsonObject
  readonly trainings: readonly Training[]
  readonly metrics: readonly Scalar[]
}

export interface Training {
  /** `distill`, `distill[2,0.9]` */
  readonly stage: string
  readonly points: readonly Point[]
}

export interface Point {
  readonly step: number
  /** Milliseconds since 1970. */
  readonly time: number
  readonly scalars: readonly Scalar[]
}

/** Names of trees are joined by `/`, by which trackers group. */
export type Scalar = readonly [name: string, value: number]

/** Reads what is logged of an experiment. Throws Failure METRICS_MISSING, METRICS_DAMAGED. */
export function readLogged({ record, metricsFile }: ListedExperiment): Logged {
  const name = record.hash.slice(0, 16)
  if (metricsFile === null) {
    throw new Failure('METRICS_MISSING', `Experiment ${name} has no metrics.jsonl here. Run it again: that writes it.`)
  }
  const stages = new Map<string, JsonObject[]>()
  for (const line of readLines(metricsFile)) {
    const { stage } = line
    if (typeof stage !== 'string') continue
    const points = stages.get(stage)
    if (points === undefined) stages.set(stage, [line])
    else points.push(line)
  }
  return {
    hash: record.hash,
    name,
    at: Date.parse(record.at),
    commit: record.git.commit,
    params: record.params,
    trainings: [...stages].map(([stage, lines]) => ({ stage, points: pointsOf(record, stage, lines) })),
    metrics: scalars(record.metrics),
  }
}

function readLines(file: string): JsonObject[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  return lines.map((line, index) => {
    try {
      const value = JSON.parse(line) as unknown
      if (isRecord(value)) return value as JsonObject
    } catch {
      // said below
    }
    const message = `"${file}", line ${index + 1}, is no JSON object. Delete the file and run the experiment again: that writes it.`
    throw new Failure('METRICS_DAMAGED', message, { exitCode: 1 })
  })
}

/** No clock is kept of the steps: they are spread evenly over the time that the training took. */
function pointsOf(record: ExperimentRecord, stage: string, lines: readonly JsonObject[]): Point[] {
  const { madeAt = record.at, seconds = 0 } = record.stages[stage] ?? {}
  const last = Number(lines.at(-1)?.['step'])
  return lines.map(({ step, ...point }) => {
    const left = last === 0 ? 0 : 1 - Number(step) / last
    const time = Date.parse(madeAt) - Math.round(1000 * seconds * left)
    return { step: Number(step), time, scalars: scalars(point) }
  })
}

const scalars = (values: JsonObject): Scalar[] =>
  flatten(values, '/').filter((entry): entry is [string, number] => typeof entry[1] === 'number')
