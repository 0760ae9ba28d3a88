import type { Attend } from '../data/windows.ts'
import type { Engine, Program, TensorValue } from '../engine/engine.ts'
import {
  add,
  cast,
  div,
  grad,
  graph,
  input,
  less,
  maximum,
  mul,
  reshape,
  sizeOf,
  state,
  where,
  zeros,
} from '../graph/index.ts'
import type { Shape, Tensor } from '../graph/index.ts'
import { averaged, updateAverages } from './average.ts'
import type { GptConfig } from './config.ts'
import { dropping } from './dropout.ts'
import { gptAbove, gptBelow, gptInside, headOf, headWeight } from './gpt.ts'
import type { Batch, Inside, Weights } from './gpt.ts'
import { innerTerms } from './inner.ts'
import type { InnerTerm } from './inner.ts'
import { distillLoss } from './losses.ts'
import type { Loss, LossOptions, Objective } from './losses.ts'
import { clipFactor, globalNorm, momentNames, updateAdamW } from './optimizer.ts'
import type { AdamW } from './optimizer.ts'
import { projectionShapes } from './projections.ts'
import { onlineTeacher, teacherInputs } from './taught.ts'
import type { TeacherShape } from './taught.ts'
import { stateOf, weightShapes, weightState } from './weights.ts'

/** What a compiled step is made for. */
export interface StepShape {
  readonly config: GptConfig
  /** Rows in a micro-batch and tokens in a row. */
  readonly rows: number
  readonly context: number
  /** Tokens whose logits exist at once. */
  readonly chunk: number
  /** Absent where the text alone teaches. */
  readonly teacher: (TeacherShape & { readonly objective: Objective }) | undefined
  readonly optimizer: AdamW
  readonly clip: number
  /** Names of weights that do not learn. */
  readonly frozen?: readonly string[]
  /** So many of the first layers are not run: what comes out of them is fed. An online teacher may ask for all. */
  readonly fixed?: number
  /** Decay of the averages of what learns of the student; 0: there are none. */
  readonly ema?: number
  /** Share of what is dropped in the student while it learns; none where `fixed` layers are not run. */
  readonly dropout?: number
  /** What a token sees; the documents are fed where it is these alone. */
  readonly attend?: Attend
  /** Given where gradients may overflow: then they are scaled by what is fed, and an update that is no number is left out. */
  readonly lossScaling?: object | undefined
}

/** A weight's sum of gradients in memory. */
export const accumulatorName = (weight: string): string => `accumulated/${weight}`

/** Scalars of the graph, fed by name. */
export const scalar = (value: number): TensorValue => ({ shape: [], data: Float32Array.of(value) })

/**
 * Forward, backward, clip and AdamW in one program. Feeds: tokens or fixed, [documents], labels, [those of a stored
 * teacher, alpha, temperature], weight, [those of dropout], [lossScale, lossUnscale], rate, correction1, correction2.
 * Outputs: loss, ce, the terms by name, gradNorm: no number where the update was left out.
 */
export function compileStep(engine: Engine, shape: StepShape): Promise<Program> {
  const weight = stateOf(shapesOf(shape))
  const weights = learning(shape, weight)
  const { loss, ce, terms, scaled } = trainingLoss(shape, weight, askedOf(shape, weights))
  const gradients = gradientsOf(shape, scaled, weights)
  const { norm, updates } = optimize(shape, weights, gradients)
  return engine.compile(graph({ outputs: { loss, ce, ...terms, gradNorm: norm }, updates }))
}

/** Adds a micro-batch's gradients up. Feeds: those of the loss. Outputs: loss, ce, the terms. */
export function compileAccumulate(engine: Engine, shape: StepShape): Promise<Program> {
  const weight = stateOf(shapesOf(shape))
  const weights = learning(shape, weight)
  const { loss, ce, terms, scaled } = trainingLoss(shape, weight, askedOf(shape, weights))
  const updates: Record<string, Tensor> = {}
  for (const [name, gradient] of gradientsOf(shape, scaled, weights)) {
    updates[accumulatorName(name)] = add(state(accumulatorName(name), gradient.shape), gradient)
  }
  return engine.compile(graph({ outputs: { loss, ce, ...terms }, updates }))
}

/** Clips and applies what was added up, and empties it. Feeds: rate, correction1, correction2. Output: gradNorm. */
export function compileApply(engine: Engine, shape: StepShape): Promise<Program> {
  const weights = learning(shape, stateOf(shapesOf(shape)))
  const sums = new Map([...weights].map(([name, { shape: of }]) => [name, state(accumulatorName(name), of)]))
  const { norm, updates } = optimize(shape, weights, sums)
  for (const [name, sum] of sums) updates[accumulatorName(name)] = zeros(sum.shape)
  return engine.compile(graph({ outputs: { gradNorm: norm }, updates }))
}

/** Cross-entropy alone, of the averages where there are any. Feeds: tokens, [documents], labels, weight. Output: ce. */
export function compileValidation(engine: Engine, shape: StepShape): Promise<Program> {
  const weight = averaged(weightState(shape.config), new Set(averagedNames(shape)))
  const { ce } = trainingLoss({ ...shape, teacher: undefined, fixed: 0, dropout: 0 }, weight)
  return engine.compile(graph({ outputs: { ce } }))
}

/** What comes out of the first layers, which do not learn. Feeds: tokens, [documents]. Output: fixed, (B, T, C). */
export function compileFixed(engine: Engine, shape: StepShape): Promise<Program> {
  const { config, fixed = 0 } = shape
  return engine.compile(graph({ outputs: { fixed: gptBelow(config, weightState(config), batchOf(shape), fixed) } }))
}

/** Moments of the weights, and sums where a step accumulates: all zeros at the start. */
export const emptyState = (config: GptConfig, accumulate: number): Map<string, TensorValue> =>
  emptyOf(weightShapes(config), accumulate)

/** The same of what else learns. */
export function emptyOf(shapes: ReadonlyMap<string, Shape>, accumulate: number): Map<string, TensorValue> {
  const entries = [...shapes].flatMap(([weight, shape]) => {
    const names = accumulate === 1 ? momentNames(weight) : [...momentNames(weight), accumulatorName(weight)]
    return names.map((name): [string, TensorValue] => [name, { shape, data: new Float32Array(sizeOf(shape)) }])
  })
  return new Map(entries)
}

/** A head that does not learn needs no gradient. */
const askedOf = ({ config }: StepShape, weights: ReadonlyMap<string, Tensor>): ('hidden' | 'head')[] =>
  weights.has(headWeight(config)) ? ['hidden', 'head'] : ['hidden']

type Sum = Pick<Loss, 'loss' | 'ce'> & {
  readonly terms: Readonly<Record<string, Tensor>>
  /** What is differentiated: its gradient is that of the loss, times lossScale where there is one. */
  readonly scaled: Tensor
}

function trainingLoss(shape: StepShape, weight: Weights, asked: LossOptions['asked'] = []): Sum {
  const { config, rows, context, chunk, teacher } = shape
  const batch = batchOf(shape)
  const labels = input('labels', [rows * context], 'int32')
  const divisor = input('weight', [])
  const scale = asked.length > 0 && shape.lossScaling ? input('lossScale', []) : undefined
  const options = { weight: divisor, asked, scale }
  const student = studentOf(shape, weight, batch)
  const inputs = { hidden: flat(student.hidden), head: headOf(config, weight), labels }
  if (!teacher) return withInner(distillLoss(inputs, chunk, options), [])
  const { objective } = teacher
  const common = { temperature: input('temperature', []), alpha: input('alpha', []), objective }
  if (teacher.kind !== 'online') {
    const stored = teacherInputs(teacher, rows * context)
    return withInner(distillLoss({ ...inputs, teacher: { ...common, ...stored } }, chunk, options), [])
  }
  const online = onlineTeacher(teacher.config, batch)
  const outer = { ...common, hidden: flat(online.hidden), head: online.head }
  const share = div(cast(less(-1, labels), 'float32'), maximum(divisor, 1))
  const inner = innerTerms(teacher.inner, { student, teacher: online }, share, weight)
  const weighted = inner.map((term) => ({ ...term, share: mul(common.alpha, term.weight) }))
  return withInner(distillLoss({ ...inputs, teacher: outer }, chunk, options), weighted, scale)
}

const flat = (x: Tensor): Tensor => reshape(x, [-1, x.shape.at(-1)!])

type WeightedTerm = InnerTerm & { readonly share: Tensor }

/** The gradient of the loss of the output is scaled already. */
function withInner({ loss, ce, terms }: Loss, inner: readonly WeightedTerm[], scale?: Tensor): Sum {
  const onto = (factor: (share: Tensor) => Tensor): Tensor =>
    inner.reduce((sum, { share, value }) => add(sum, mul(factor(share), value)), loss)
  const total = onto((share) => share)
  const scaled = scale ? onto((share) => mul(share, scale)) : total
  const named = Object.fromEntries(inner.map(({ name, value }) => [name, value]))
  return { loss: total, ce, terms: { ...terms, ...named }, scaled }
}

function studentOf(shape: StepShape, weight: Weights, batch: Batch): Inside {
  const { config, rows, context, fixed = 0, dropout = 0 } = shape
  if (fixed === 0) return gptInside(config, weight, dropout === 0 ? batch : { ...batch, drop: dropping(dropout) })
  if (dropout > 0) throw new Error('Internal error: dropout in layers that are not run')
  return gptAbove(config, weight, batch, fixed, input('fixed', [rows, context, config.width]))
}

function batchOf({ rows, context, attend }: StepShape): Batch {
  const tokens = input('tokens', [rows, context], 'int32')
  return attend === 'document' ? { tokens, documents: input('documents', [rows, context], 'int32') } : { tokens }
}

function shapesOf({ config, teacher }: StepShape): Map<string, Shape> {
  const weights = weightShapes(config)
  if (teacher?.kind !== 'online') return weights
  return new Map([...weights, ...projectionShapes(teacher.inner, config, teacher.config)])
}

/** Names of the student's weights of which there is an average. */
export function averagedNames({
  config,
  frozen = [],
  ema = 0,
}: Pick<StepShape, 'config' | 'frozen' | 'ema'>): string[] {
  return ema === 0 ? [] : [...weightShapes(config).keys()].filter((name) => !frozen.includes(name))
}

function learning(shape: StepShape, weight: Weights): Map<string, Tensor> {
  const names = [...shapesOf(shape).keys()].filter((name) => !shape.frozen?.includes(name))
  return new Map(names.map((name) => [name, weight(name)]))
}

function gradientsOf(
  { lossScaling }: StepShape,
  scaled: Tensor,
  weights: ReadonlyMap<string, Tensor>,
): Map<string, Tensor> {
  const gradients = grad(scaled, [...weights.values()])
  const inverse = lossScaling && input('lossUnscale', [])
  return new Map([...weights.keys()].map((name, i) => [name, inverse ? mul(gradients[i]!, inverse) : gradients[i]!]))
}

function optimize(
  shape: StepShape,
  weights: ReadonlyMap<string, Tensor>,
  gradients: ReadonlyMap<string, Tensor>,
): { norm: Tensor; updates: Record<string, Tensor> } {
  const { clip, optimizer, ema = 0 } = shape
  const norm = globalNorm(gradients.values())
  const factor = clipFactor(norm, clip)
  const clipped = new Map([...gradients].map(([name, gradient]) => [name, mul(gradient, factor)]))
  const scalars = {
    rate: input('rate', []),
    correction1: input('correction1', []),
    correction2: input('correction2', []),
  }
  const updates = updateAdamW(weights, clipped, scalars, optimizer)
  const made = new Map(averagedNames(shape).map((name) => [name, updates[name]!]))
  const all = { ...updates, ...updateAverages(made, ema) }
  return { norm, updates: shape.lossScaling ? unlessOverflown(all, norm) : all }
}

/** What was, where the norm is infinite or no number. */
function unlessOverflown(updates: Readonly<Record<string, Tensor>>, norm: Tensor): Record<string, Tensor> {
  const isNumber = less(norm, 3e38)
  const kept = ([name, made]: [string, Tensor]) => [name, where(isNumber, made, state(name, made.shape))] as const
  return Object.fromEntries(Object.entries(updates).map(kept))
}
