import type { Engine, TensorValue } from '../../lib/engine/index.ts'
import { grad, input, reshape } from '../../lib/graph/index.ts'
import type { Tensor } from '../../lib/graph/index.ts'
import { distillLoss } from '../../lib/model/losses.ts'
import type { Objective } from '../../lib/model/losses.ts'
import { Random } from '../../lib/util/random.ts'
import { engine, evaluate, ids, scalar, vector } from './rig.ts'

export type Table = readonly (readonly number[])[]

/** What a loss is of. */
export interface Problem {
  /** (N, C) and (V, C) */
  readonly hidden: Table
  readonly head: Table
  readonly labels: readonly number[]
  readonly teacher?: {
    /** (N, D) and (W, D) */
    readonly hidden: Table
    readonly head: Table
    readonly temperature: number
    readonly alpha: number
  }
}

interface Solution {
  readonly loss: number
  readonly ce: number
  readonly terms: Readonly<Record<string, number>>
  readonly hidden: readonly number[]
  readonly head: readonly number[]
}

/** The loss and its gradients with respect to the student's hidden states and head. */
export async function solve(
  { hidden, head, labels, teacher }: Problem,
  objective: Objective,
  { chunk = 4, weight, on = engine }: { chunk?: number; weight?: number; on?: Engine } = {},
): Promise<Solution> {
  const feeds: Record<string, TensorValue> = { labels: ids([labels.length], labels) }
  const fed = (name: string, rows: Table) => {
    feeds[name] = vector(rows.flat())
    return reshape(input(name, [rows.flat().length]), [rows.length, rows[0]!.length])
  }
  const number = (name: string, value: number) => {
    feeds[name] = scalar(value)
    return input(name, [])
  }
  const student = {
    hidden: fed('hidden', hidden),
    head: fed('head', head),
    labels: input('labels', [labels.length], 'int32'),
  }
  const soft = teacher && {
    hidden: fed('teacherHidden', teacher.hidden),
    head: fed('teacherHead', teacher.head),
    temperature: number('temperature', teacher.temperature),
    alpha: number('alpha', teacher.alpha),
    objective,
  }
  const options = weight === undefined ? {} : { weight: number('weight', weight) }
  const { loss, ce, terms } = distillLoss(soft ? { ...student, teacher: soft } : student, chunk, options)
  const [dHidden, dHead] = grad(loss, [student.hidden, student.head])
  const outputs: Record<string, Tensor> = { loss, ce, ...terms, dHidden: dHidden!, dHead: dHead! }
  if (soft) outputs['temperature'] = soft.temperature // an input that no term may read
  const found = await evaluate(outputs, feeds, new Map(), on)
  const one = (name: string): number => found[name]!.data[0]!
  const all = (name: string): number[] => Array.from(found[name]!.data)
  return {
    loss: one('loss'),
    ce: one('ce'),
    terms: Object.fromEntries(Object.keys(terms).map((name) => [name, one(name)])),
    hidden: all('dHidden'),
    head: all('dHead'),
  }
}

/** Of float32 values: what the engine sees is what a definition sees. */
export function table(rows: number, columns: number, stream: string): Table {
  const random = new Random(1, stream)
  return Array.from({ length: rows }, () => Array.from({ length: columns }, () => Math.fround(random.normal())))
}

/** As a head: the hidden states are the logits. */
export const identity = (size: number): Table =>
  Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => Number(i === j)))

export const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0)

export function logSoftmax(logits: readonly number[], T = 1): number[] {
  const largest = Math.max(...logits)
  const total = logits.reduce((sum, logit) => sum + Math.exp((logit - largest) / T), 0)
  return logits.map((logit) => (logit - largest) / T - Math.log(total))
}

export const softmax = (logits: readonly number[], T = 1): number[] => logSoftmax(logits, T).map(Math.exp)
