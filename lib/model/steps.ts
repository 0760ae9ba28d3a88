import type { Engine, Program, TensorValue } from '../engine/engine.ts'
import { add, grad, graph, input, mul, reshape, sizeOf, state, zeros } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import type { GptConfig } from './config.ts'
import { gpt, gptAbove, gptBelow, headOf } from './gpt.ts'
import type { Weights } from './gpt.ts'
import { distillLoss } from './losses.ts'
import type { Loss, Objective } from './losses.ts'
import { clipFactor, globalNorm, momentNames, updateAdamW } from './optimizer.ts'
import type { AdamW } from './optimizer.ts'
import { weightShapes, weightState } from './weights.ts'

/** What a compiled step is made for. */
export interface StepShape {
  readonly config: GptConfig
  /** Rows in a micro-batch and tokens in a row. */
  readonly rows: number
  readonly context: number
  /** Tokens whose logits exist at once. */
  readonly chunk: number
  /** Absent where the text alone teaches. */
  readonly teacher: TeacherShape | undefined
  readonly optimizer: AdamW
  readonly clip: number
  /** Names of weights that do not learn. */
  readonly frozen?: readonly string[]
  /** So many of the first layers are not run: what comes out of them is fed in place of the tokens. */
  readonly fixed?: number
}

export interface TeacherShape {
  /** (W, D) */
  readonly head: readonly [number, number]
  readonly objective: Objective
}

/** The teacher's head in memory. */
export const teacherHeadName = 'teacher.head'
/** A weight's sum of gradients in memory. */
export const accumulatorName = (weight: string): string => `accumulated/${weight}`

/** Scalars of the graph, fed by name. */
export const scalar = (value: number): TensorValue => ({ shape: [], data: Float32Array.of(value) })

/**
 * Forward, backward, clip and AdamW in one program. Feeds: tokens or fixed, labels, [teacherHidden, alpha,
 * temperature], weight, rate, correction1, correction2. Outputs: loss, ce, the objective's terms by name, gradNorm.
 */
export function compileStep(engine: Engine, shape: StepShape): Promise<Program> {
  const weight = weightState(shape.config)
  const weights = learning(shape, weight)
  const { loss, ce, terms } = trainingLoss(shape, weight)
  const gradients = gradientsOf(loss, weights)
  const { norm, updates } = optimize(shape, weights, gradients)
  return engine.compile(graph({ outputs: { loss, ce, ...terms, gradNorm: norm }, updates }))
}

/** Adds a micro-batch's gradients up. Feeds: those of the loss. Outputs: loss, ce, the objective's terms. */
export function compileAccumulate(engine: Engine, shape: StepShape): Promise<Program> {
  const weight = weightState(shape.config)
  const weights = learning(shape, weight)
  const { loss, ce, terms } = trainingLoss(shape, weight)
  const updates: Record<string, Tensor> = {}
  for (const [name, gradient] of gradientsOf(loss, weights)) {
    updates[accumulatorName(name)] = add(state(accumulatorName(name), gradient.shape), gradient)
  }
  return engine.compile(graph({ outputs: { loss, ce, ...terms }, updates }))
}

/** Clips and applies what was added up, and empties it. Feeds: rate, correction1, correction2. Output: gradNorm. */
export function compileApply(engine: Engine, shape: StepShape): Promise<Program> {
  const weights = learning(shape, weightState(shape.config))
  const sums = new Map([...weights].map(([name, { shape: of }]) => [name, state(accumulatorName(name), of)]))
  const { norm, updates } = optimize(shape, weights, sums)
  for (const [name, sum] of sums) updates[accumulatorName(name)] = zeros(sum.shape)
  return engine.compile(graph({ outputs: { gradNorm: norm }, updates }))
}

/** Cross-entropy alone. Feeds: tokens, labels, weight. Output: ce. */
export function compileValidation(engine: Engine, shape: StepShape): Promise<Program> {
  const { ce } = trainingLoss({ ...shape, teacher: undefined, fixed: 0 }, weightState(shape.config))
  return engine.compile(graph({ outputs: { ce } }))
}

/** What comes out of the first layers, which do not learn. Feeds: tokens. Output: fixed, (B, T, C). */
export function compileFixed(engine: Engine, { config, rows, context, fixed = 0 }: StepShape): Promise<Program> {
  const tokens = input('tokens', [rows, context], 'int32')
  return engine.compile(graph({ outputs: { fixed: gptBelow(config, weightState(config), { tokens }, fixed) } }))
}

/** What a training keeps of each weight that learns, all zeros at its start: moments, and sums where it accumulates. */
export function emptyState(
  config: GptConfig,
  accumulate: number,
  frozen: readonly string[] = [],
): Map<string, TensorValue> {
  const learn = [...weightShapes(config)].filter(([weight]) => !frozen.includes(weight))
  const entries = learn.flatMap(([weight, shape]) => {
    const names = accumulate === 1 ? momentNames(weight) : [...momentNames(weight), accumulatorName(weight)]
    return names.map((name): [string, TensorValue] => [name, { shape, data: new Float32Array(sizeOf(shape)) }])
  })
  return new Map(entries)
}

function trainingLoss(shape: StepShape, weight: Weights): Loss {
  const { config, rows, context, chunk, teacher } = shape
  const labels = input('labels', [rows * context], 'int32')
  const hidden = reshape(studentOf(shape, weight), [rows * context, config.width])
  const inputs = { hidden, head: headOf(config, weight), labels }
  if (!teacher) return distillLoss(inputs, chunk, input('weight', []))
  const soft = {
    hidden: input('teacherHidden', [rows * context, teacher.head[1]]),
    head: state(teacherHeadName, teacher.head),
    temperature: input('temperature', []),
    alpha: input('alpha', []),
    objective: teacher.objective,
  }
  return distillLoss({ ...inputs, teacher: soft }, chunk, input('weight', []))
}

function studentOf({ config, rows, context, fixed = 0 }: StepShape, weight: Weights): Tensor {
  const batch = { tokens: input('tokens', [rows, context], 'int32') }
  if (fixed === 0) return gpt(config, weight, batch)
  return gptAbove(config, weight, batch, fixed, input('fixed', [rows, context, config.width]))
}

function learning({ config, frozen = [] }: StepShape, weight: Weights): Map<string, Tensor> {
  const names = [...weightShapes(config).keys()].filter((name) => !frozen.includes(name))
  return new Map(names.map((name) => [name, weight(name)]))
}

function gradientsOf(loss: Tensor, weights: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const gradients = grad(loss, [...weights.values()])
  return new Map([...weights.keys()].map((name, i) => [name, gradients[i]!]))
}

function optimize(
  { clip, optimizer }: StepShape,
  weights: ReadonlyMap<string, Tensor>,
  gradients: ReadonlyMap<string, Tensor>,
): { norm: Tensor; updates: Record<string, Tensor> } {
  const norm = globalNorm(gradients.values())
  const factor = clipFactor(norm, clip)
  const clipped = new Map([...gradients].map(([name, gradient]) => [name, mul(gradient, factor)]))
  const scalars = {
    rate: input('rate', []),
    correction1: input('correction1', []),
    correction2: input('correction2', []),
  }
  return { norm, updates: updateAdamW(weights, clipped, scalars, optimizer) }
}
