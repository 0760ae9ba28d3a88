import type { Engine, Program, TensorValue } from '../engine/engine.ts'
import { add, grad, graph, input, mul, reshape, sizeOf, state, zeros } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import type { GptConfig } from './config.ts'
import { gpt, headOf } from './gpt.ts'
import type { Weights } from './gpt.ts'
import { distillLoss } from './losses.ts'
import type { Loss } from './losses.ts'
import { clipFactor, globalNorm, momentNames, updateAdamW } from './optimizer.ts'
import type { AdamW } from './optimizer.ts'
import { teacherInputs } from './taught.ts'
import type { TeacherShape } from './taught.ts'
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
}

/** A weight's sum of gradients in memory. */
export const accumulatorName = (weight: string): string => `accumulated/${weight}`

/** Scalars of the graph, fed by name. */
export const scalar = (value: number): TensorValue => ({ shape: [], data: Float32Array.of(value) })

/**
 * Forward, backward, clip and AdamW in one program. Feeds: tokens, labels, [the teacher's, alpha, temperature], weight,
 * rate, correction1, correction2. Outputs: loss, ce, kl, gradNorm.
 */
export function compileStep(engine: Engine, shape: StepShape): Promise<Program> {
  const weight = weightState(shape.config)
  const weights = named(shape.config, weight)
  const { loss, ce, kl } = trainingLoss(shape, weight)
  const gradients = gradientsOf(loss, weights)
  const { norm, updates } = optimize(shape, weights, gradients)
  return engine.compile(graph({ outputs: { loss, ce, kl, gradNorm: norm }, updates }))
}

/** Adds a micro-batch's gradients up. Feeds: those of the loss. Outputs: loss, ce, kl. */
export function compileAccumulate(engine: Engine, shape: StepShape): Promise<Program> {
  const weight = weightState(shape.config)
  const weights = named(shape.config, weight)
  const { loss, ce, kl } = trainingLoss(shape, weight)
  const updates: Record<string, Tensor> = {}
  for (const [name, gradient] of gradientsOf(loss, weights)) {
    updates[accumulatorName(name)] = add(state(accumulatorName(name), gradient.shape), gradient)
  }
  return engine.compile(graph({ outputs: { loss, ce, kl }, updates }))
}

/** Clips and applies what was added up, and empties it. Feeds: rate, correction1, correction2. Output: gradNorm. */
export function compileApply(engine: Engine, shape: StepShape): Promise<Program> {
  const weights = named(shape.config, weightState(shape.config))
  const sums = new Map([...weights].map(([name, { shape: of }]) => [name, state(accumulatorName(name), of)]))
  const { norm, updates } = optimize(shape, weights, sums)
  for (const [name, sum] of sums) updates[accumulatorName(name)] = zeros(sum.shape)
  return engine.compile(graph({ outputs: { gradNorm: norm }, updates }))
}

/** Cross-entropy alone. Feeds: tokens, labels, weight. Output: ce. */
export function compileValidation(engine: Engine, shape: StepShape): Promise<Program> {
  const { ce } = trainingLoss({ ...shape, teacher: undefined }, weightState(shape.config))
  return engine.compile(graph({ outputs: { ce } }))
}

/** What a training keeps beside the weights, all zeros at its start: moments, and sums where it accumulates. */
export function emptyState(config: GptConfig, accumulate: number): Map<string, TensorValue> {
  const entries = [...weightShapes(config)].flatMap(([weight, shape]) => {
    const names = accumulate === 1 ? momentNames(weight) : [...momentNames(weight), accumulatorName(weight)]
    return names.map((name): [string, TensorValue] => [name, { shape, data: new Float32Array(sizeOf(shape)) }])
  })
  return new Map(entries)
}

function trainingLoss({ config, rows, context, chunk, teacher }: StepShape, weight: Weights): Loss {
  const tokens = input('tokens', [rows, context], 'int32')
  const labels = input('labels', [rows * context], 'int32')
  const hidden = reshape(gpt(config, weight, { tokens }), [rows * context, config.width])
  const inputs = { hidden, head: headOf(config, weight), labels }
  if (!teacher) return distillLoss(inputs, chunk, input('weight', []))
  return distillLoss({ ...inputs, teacher: teacherInputs(teacher, rows * context) }, chunk, input('weight', []))
}

function named(config: GptConfig, weight: Weights): Map<string, Tensor> {
  return new Map([...weightShapes(config).keys()].map((name) => [name, weight(name)]))
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
