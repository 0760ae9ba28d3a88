import type { Split } from '../data/tokens.ts'
import { layoutOf } from '../data/targets/form.ts'
import type { Form } from '../data/targets/form.ts'
import { decodeRecords, encodeRecords } from '../data/targets/records.ts'
import type { Attend } from '../data/windows.ts'
import type { Engine, Memory, Program, TensorValue } from '../engine/engine.ts'
import { constant, grad, graph, input, mul, square, state, sub, sum } from '../graph/index.ts'
import { Rows, documentsOf } from './batches.ts'
import { firstRows, openCondenser } from './condense.ts'
import { headWeight } from './gpt.ts'
import { collect } from '../util/collect.ts'
import { openLayerwise } from './layerwise.ts'
import { distillLoss } from './losses.ts'
import type { Objective } from './losses.ts'
import { scalar } from './steps.ts'
import { sparseShape, teacherFeeds, teacherHeadName, teacherInputs } from './taught.ts'
import type { Others, StoredShape } from './taught.ts'
import { statesOf } from './teacher.ts'
import type { StoredModel } from './weights.ts'

// N tokens that are measured on · D width of the teacher · V vocabulary

/** How far the student's gradient from targets of a form lies from that of the teacher's whole distribution. */
export interface Deviation {
  /** What differs between lines of one temperature: the use of the targets, or the draws a token. */
  readonly use: string
  readonly temperature: number
  /** Degrees between the two gradients. */
  readonly angle: number
  /** The norm of that from the form over that from the whole. */
  readonly normRatio: number
}

interface How {
  readonly context: number
  /** What a token sees; the row where not given. */
  readonly attend?: Attend
  readonly signal: AbortSignal
}

interface Case {
  readonly use: string
  readonly form: Form
  readonly others: Others
  readonly temperatures: readonly number[]
}

const tokensMeasured = 256
const drawsMore = 64
const objective: Objective = { weights: { 'forward-kl': 1 }, beta: 0.5, skew: 0.1, squareTemperature: true }

/**
 * Measures the form on the first rows of a held-out split, up to 256 tokens, as a training has it: through the file's
 * rounding and the training's own loss, forward KL alone. No student is at hand in the teacher's stage, and a new one
 * must not make it run again; the one that is measured is made of the teacher: its hidden states halved, under its own
 * head. It ranks the tokens as the teacher does and is half as sure of it. The gradient is that of its head, the largest
 * matrix of a small model, over all tokens together. Another student has other numbers: these compare the forms.
 *
 * Of drawn targets the deviation is chance, not bias: with 64 times as many draws it is an eighth, and so it is over 64
 * batches. Both are given.
 */
export async function measureForm(
  engine: Engine,
  model: StoredModel,
  split: Split,
  { form, ...how }: How & { readonly form: Form },
): Promise<{ readonly tokens: number; readonly deviations: readonly Deviation[] }> {
  const hidden = await heldStates(engine, model, split, how)
  const V = form.kind === 'hidden' ? model.config.vocabSize : form.vocabulary
  const memory = engine.memory()
  const deviations: Deviation[] = []
  for (const one of casesOf(form)) {
    const columns = await stored(engine, model, one.form, how.context, hidden)
    memory.write(teacherHeadName, firstRows(model.weight(headWeight(model.config)), V))
    deviations.push(...(await deviationsOf(engine, memory, one, hidden, columns, V)))
    memory.delete(teacherHeadName)
  }
  memory.dispose()
  return { tokens: hidden.shape[0]!, deviations }
}

function casesOf(form: Form): readonly Case[] {
  switch (form.kind) {
    case 'hidden':
      return [{ use: form.dtype, form, others: 'bucket', temperatures: [1, 2, 4] }]
    case 'sampled':
      return [form.samples, drawsMore * form.samples].map((samples) => {
        return {
          use: `${samples} draws`,
          form: { ...form, samples },
          others: 'bucket',
          temperatures: [form.temperature],
        }
      })
    case 'topk':
      return (['bucket', 'renormalise'] as const).map((others) => {
        return { use: others, form, others, temperatures: form.temperatures }
      })
  }
}

/** (N, D): the teacher's hidden states of the split's first rows. */
async function heldStates(
  engine: Engine,
  model: StoredModel,
  split: Split,
  { context, attend = 'row', signal }: How,
): Promise<TensorValue> {
  const rows = new Rows(split, context)
  const indices = Array.from({ length: Math.ceil(tokensMeasured / context) }, (_, index) => index)
  const layerwise = await openLayerwise(engine, model, { rows: indices.length, length: context, attend })
  try {
    const batch = { tokens: rows.feeds(indices).tokens, ...documentsOf(rows, indices, attend) }
    const [all] = await collect(layerwise.run([batch], { signal, onBatch: () => undefined }))
    const D = model.config.width
    const values = statesOf(rows, indices, all!).flatMap(({ states }) => Array.from(states))
    const data = Float32Array.from(values.slice(0, tokensMeasured * D))
    return { shape: [data.length / D, D], data }
  } finally {
    await layerwise.dispose()
  }
}

/** The columns of these hidden states as they come out of a file, (N, width) each. */
async function stored(
  engine: Engine,
  model: StoredModel,
  form: Form,
  context: number,
  { shape, data }: TensorValue,
): Promise<Record<string, TensorValue>> {
  const [layout, N] = [layoutOf(form), shape[0]!]
  const condenser = await openCondenser(engine, model, form, context)
  try {
    const columns = decodeRecords(layout, encodeRecords(layout, await condenser.columns(data as Float32Array, 0), N))
    return Object.fromEntries(layout.map(({ name, width }) => [name, { shape: [N, width], data: columns[name]! }]))
  } finally {
    await condenser.dispose()
  }
}

async function deviationsOf(
  engine: Engine,
  memory: Memory,
  { use, form, others, temperatures }: Case,
  hidden: TensorValue,
  columns: Readonly<Record<string, TensorValue>>,
  V: number,
): Promise<Deviation[]> {
  const [N, D] = hidden.shape as readonly [number, number]
  const shape: StoredShape = form.kind === 'hidden' ? { kind: 'hidden', head: [V, D] } : sparseShape(form, others)
  const program = await compileComparison(engine, shape, [N, D], V)
  try {
    const found: Deviation[] = []
    for (const temperature of temperatures) {
      const feeds = { hidden, temperature: scalar(temperature), alpha: scalar(1) }
      const outputs = await program.run({ ...feeds, ...teacherFeeds(shape, columns, temperature) }, memory)
      const [whole, along, apart] = ['whole', 'along', 'apart'].map((name) => outputs[name]!.data[0]!)
      found.push({ use, temperature, ...lieOf(whole!, along!, apart!) })
    }
    return found
  } finally {
    await program.dispose()
  }
}

/** Outputs of the gradients G from the whole distribution and G + E from the form: G·G, G·E, E·E. */
function compileComparison(
  engine: Engine,
  shape: StoredShape,
  of: readonly [number, number],
  V: number,
): Promise<Program> {
  const [N, D] = of
  const [hidden, head] = [input('hidden', of), state(teacherHeadName, [V, D])]
  const student = { hidden: mul(hidden, 0.5), head, labels: constant(0, [N], 'int32') }
  const common = { temperature: input('temperature', []), alpha: input('alpha', []), objective }
  const whole = distillLoss({ ...student, teacher: { ...common, hidden, head } }, N)
  const form = distillLoss({ ...student, teacher: { ...common, ...teacherInputs(shape, N) } }, N)
  const [G, other] = [grad(whole.loss, [head])[0]!, grad(form.loss, [head])[0]!]
  const E = sub(other, G)
  const outputs = { whole: sum(square(G)), along: sum(mul(G, E)), apart: sum(square(E)), loss: form.loss }
  return engine.compile(graph({ outputs }))
}

/** By the difference, not by the cosine, which near 1 holds no small angle in float32. */
function lieOf(whole: number, along: number, apart: number): { angle: number; normRatio: number } {
  const across = Math.sqrt(Math.max(0, apart * whole - along * along))
  const angle = (Math.atan2(across, whole + along) * 180) / Math.PI
  return { angle, normRatio: Math.sqrt((whole + 2 * along + apart) / whole) }
}
