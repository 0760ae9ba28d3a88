import { readFileSync } from 'node:fs'
import type { ListedExperiment } from '../pipeline/experiment.ts'
import { flatten } from '../util/flatten.ts'
import type { JsonObject } from '../util/json.ts'
import type { Curve, Curves } from './api.ts'

/** More points than a chart has pixels are not seen. */
const MOST_POINTS = 1500
const SPARKS = 48

/** The curves of an experiment's trainings, as its metrics.jsonl has them; none where it has no such file. */
export function readCurves({ metricsFile }: Pick<ListedExperiment, 'metricsFile'>): Curves {
  if (metricsFile === null) return {}
  const stages = new Map<string, JsonObject[]>()
  for (const line of linesOf(metricsFile)) {
    const { stage, ...point } = JSON.parse(line) as JsonObject
    if (typeof stage === 'string' && typeof point['step'] === 'number') add(stages, stage, point)
  }
  return Object.fromEntries(
    [...stages].map(([stage, points]) => [stage, curveOf(thin(points, MOST_POINTS, isValidated))]),
  )
}

function add(stages: Map<string, JsonObject[]>, stage: string, point: JsonObject): void {
  const points = stages.get(stage) ?? []
  points.push(point)
  stages.set(stage, points)
}

/** The course of the last training: what was measured on the validation split, else its loss. */
export function sparkOf(experiment: Pick<ListedExperiment, 'metricsFile'>): readonly number[] {
  const last = Object.values(readCurves(experiment)).at(-1)
  const measured = (['validationLoss', 'loss'] as const).map((name) => (last?.values[name] ?? []).filter(isNumber))
  return thin(measured.find((values) => values.length > 2) ?? [], SPARKS)
}

const isNumber = (value: number | null): value is number => value !== null

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
  } catch {
    return [] // gc took it away meanwhile
  }
}

/** Every so many, the last one, and those that are kept in any case. */
function thin<T>(points: readonly T[], most: number, keep: (point: T) => boolean = () => false): readonly T[] {
  const stride = Math.ceil(points.length / most)
  return stride <= 1 ? points : points.filter((point, i) => i % stride === 0 || i === points.length - 1 || keep(point))
}

/** Few points are, between many that are not. */
const isValidated = (point: JsonObject): boolean => 'validationLoss' in point || 'accNorm' in point

function curveOf(points: readonly JsonObject[]): Curve {
  const flat = points.map((point) => new Map(flatten(point)))
  const names = [...new Set(flat.flatMap((point) => [...point.keys()]))].filter((name) => name !== 'step')
  const number = (value: unknown): number | null => (typeof value === 'number' ? value : null)
  return {
    steps: flat.map((point) => point.get('step') as number),
    values: Object.fromEntries(names.map((name) => [name, flat.map((point) => number(point.get(name)))])),
  }
}
