import { digestParts } from '../data/digest.ts'
import type { Memory, Program, TensorValue } from '../engine/engine.ts'
import { Failure } from '../util/failure.ts'
import { Order, Rows } from './batches.ts'
import type { RowFeeds } from './batches.ts'
import { Checkpoints } from './checkpoint.ts'
import { corrections } from './optimizer.ts'
import { rateAt } from './schedule.ts'
import {
  compileAccumulate,
  compileApply,
  compileStep,
  compileValidation,
  emptyState,
  scalar,
  teacherHeadName,
} from './steps.ts'
import type { StepShape } from './steps.ts'
import type { CurvePoint, TrainHooks, TrainInputs, TrainOptions, Trained } from './train.ts'
import { loadInto, readFrom } from './weights.ts'

interface Programs {
  /** One program for the whole step, or one a micro-batch and one that applies what they added up. */
  readonly gradient: Program
  readonly apply: Program | undefined
  readonly validate: Program
}

interface Losses {
  readonly loss: number
  readonly ce: number
  readonly kl: number
  readonly gradNorm: number
}

/** At most this old is the checkpoint that a kill leaves, as long as writing one takes less than a tenth of it. */
const checkpointSeconds = 4
/** About so many points stand on a curve. */
const curveResolution = 500

/** The phases of a training, and the state that they share. */
export class Trainer {
  readonly #inputs: TrainInputs
  readonly #options: TrainOptions
  readonly #hooks: TrainHooks
  readonly #memory: Memory
  readonly #programs: Programs
  readonly #rows: Rows
  readonly #validation: Rows
  readonly #order: Order
  readonly #checkpoints: Checkpoints<CurvePoint>
  #done = 0
  #points: CurvePoint[] = []
  #best: { step: number; loss: number } = { step: 0, loss: Infinity }
  #bestWeights: ReadonlyMap<string, TensorValue>
  #nextCheckpoint = performance.now() + checkpointSeconds * 1000

  static async create(inputs: TrainInputs, options: TrainOptions, hooks: TrainHooks, memory: Memory): Promise<Trainer> {
    return new Trainer(inputs, options, hooks, memory, await compilePrograms(inputs, options))
  }

  private constructor(
    inputs: TrainInputs,
    options: TrainOptions,
    hooks: TrainHooks,
    memory: Memory,
    programs: Programs,
  ) {
    this.#inputs = inputs
    this.#options = options
    this.#hooks = hooks
    this.#memory = memory
    this.#programs = programs
    this.#rows = new Rows(inputs.train, options.context)
    this.#validation = new Rows(inputs.validation, options.context)
    this.#order = new Order(this.#rows.windows.length, options.batch, options.seed)
    this.#checkpoints = new Checkpoints(hooks.checkpoint, identityOf(inputs, options))
    this.#bestWeights = inputs.weights
  }

  get done(): boolean {
    return this.#done >= this.#options.rate.steps
  }

  /** Loads the last checkpoint, or the start; validates the start, so that a training can never leave worse. */
  async resume(): Promise<void> {
    const { config, teacher, weights } = this.#inputs
    if (teacher) this.#memory.write(teacherHeadName, teacher.head)
    const last = this.#checkpoints.load()
    loadInto(this.#memory, last ? last.state : new Map([...weights, ...emptyState(config, this.#options.accumulate)]))
    if (!last) return this.#judge(await this.#validate())
    this.#done = last.progress.step
    this.#points = [...last.progress.points]
    this.#best = last.progress.best
    this.#bestWeights = last.best
    this.#hooks.log(`resumed after step ${this.#done} of ${this.#options.rate.steps}`)
  }

  /** One step of the optimizer; then, when their time has come: validation, a point of the curves, a checkpoint. */
  async step(): Promise<void> {
    const { rate, validateEvery } = this.#options
    const losses = await this.#learn()
    this.#done += 1
    checkFinite(losses, this.#done)
    const validated = this.#done % validateEvery === 0 || this.done ? await this.#validate() : undefined
    this.#record(losses, validated)
    if (validated !== undefined) await this.#judge(validated)
    if (performance.now() >= this.#nextCheckpoint) await this.#checkpoint()
    await new Promise(setImmediate) // an engine holds the event loop while it computes: signals are heard here
    if (!this.#hooks.signal.aborted) return
    await this.#checkpoint()
    this.#hooks.log(`stopped after step ${this.#done} of ${rate.steps}; the checkpoint is written`)
    this.#hooks.signal.throwIfAborted()
  }

  result(): Trained {
    return { weights: this.#bestWeights, best: this.#best, points: this.#points }
  }

  async dispose(): Promise<void> {
    const { gradient, apply, validate } = this.#programs
    await Promise.all([gradient.dispose(), apply?.dispose(), validate.dispose()])
  }

  async #learn(): Promise<Losses> {
    const { accumulate, batch, rate, optimizer } = this.#options
    const indices = this.#order.rowsOf(this.#done)
    const size = batch / accumulate
    const parts = Array.from({ length: accumulate }, (_, part) => indices.slice(part * size, (part + 1) * size))
    const feeds = parts.map((part) => this.#rows.feeds(part))
    const valid = feeds.reduce((sum, one) => sum + one.valid, 0)
    const [correction1, correction2] = corrections(this.#done + 1, optimizer)
    const scalars = {
      rate: scalar(rateAt(rate, this.#done)),
      correction1: scalar(correction1),
      correction2: scalar(correction2),
    }
    const { gradient, apply } = this.#programs
    let losses = { loss: 0, ce: 0, kl: 0, gradNorm: 0 }
    for (const [index, part] of feeds.entries()) {
      const all = { ...this.#lossFeeds(part, parts[index]!, valid), ...(apply ? {} : scalars) }
      losses = plus(losses, await gradient.run(all, this.#memory))
    }
    return apply ? plus(losses, await apply.run(scalars, this.#memory)) : losses
  }

  #lossFeeds({ tokens, labels }: RowFeeds, indices: readonly number[], valid: number): Record<string, TensorValue> {
    const common = { tokens, labels, weight: scalar(valid) }
    const { teacher } = this.#inputs
    if (!teacher) return common
    const { temperature, alpha } = this.#options
    const teacherHidden = this.#rows.hidden(indices, teacher.targets)
    return { ...common, teacherHidden, temperature: scalar(temperature), alpha: scalar(alpha) }
  }

  /** Cross-entropy on the validation split, nats per token. */
  async #validate(): Promise<number> {
    const size = this.#options.batch / this.#options.accumulate
    const limit = this.#options.validationRows || Infinity
    const rows = Math.min(limit, this.#validation.windows.length)
    let sum = 0
    let count = 0
    for (let start = 0; start < rows; start += size) {
      const indices = Array.from({ length: size }, (_, k) => (start + k < rows ? start + k : -1))
      const { tokens, labels, valid } = this.#validation.feeds(indices)
      const { ce } = await this.#programs.validate.run({ tokens, labels, weight: scalar(1) }, this.#memory)
      sum += ce!.data[0]!
      count += valid
    }
    return sum / count
  }

  async #judge(loss: number): Promise<void> {
    if (!(loss < this.#best.loss)) return
    this.#best = { step: this.#done, loss }
    this.#bestWeights = this.#done === 0 ? this.#inputs.weights : await readFrom(this.#memory, this.#inputs.config)
    this.#checkpoints.saveBest(this.#done, this.#bestWeights)
  }

  #record({ loss, ce, kl, gradNorm }: Losses, validationLoss: number | undefined): void {
    const { rate } = this.#options
    const point: CurvePoint = {
      step: this.#done,
      epoch: this.#order.epochAt(this.#done),
      loss,
      ce,
      ...(this.#inputs.teacher ? { kl } : {}),
      rate: rateAt(rate, this.#done - 1),
      gradNorm,
      ...(validationLoss === undefined ? {} : { validationLoss }),
    }
    this.#hooks.onStep(point, rate.steps)
    const every = Math.ceil(rate.steps / curveResolution)
    if (validationLoss !== undefined || this.#done % every === 0) this.#points.push(point)
  }

  async #checkpoint(): Promise<void> {
    const start = performance.now()
    const { config } = this.#inputs
    const names = [...emptyState(config, this.#options.accumulate).keys()]
    const state = await readFrom(this.#memory, config)
    for (const name of names) state.set(name, await this.#memory.read(name))
    this.#checkpoints.save({ step: this.#done, points: this.#points, best: this.#best }, state)
    const end = performance.now()
    this.#nextCheckpoint = end + Math.max(checkpointSeconds * 1000, 10 * (end - start))
  }
}

async function compilePrograms({ engine, config, teacher }: TrainInputs, options: TrainOptions): Promise<Programs> {
  const { accumulate, batch, chunk, clip, context, optimizer } = options
  if (batch % accumulate !== 0) {
    const message = `\`batch\` is ${batch} rows, which cannot be cut into ${accumulate} equal micro-batches. Change \`accumulate\` to a divisor.`
    throw new Failure('ACCUMULATE_UNEVEN', message)
  }
  const head = teacher?.head.shape
  const teacherHead = head ? ([head[0]!, head[1]!] as const) : undefined
  const shape: StepShape = { config, rows: batch / accumulate, context, chunk, teacherHead, optimizer, clip }
  return {
    gradient: await (accumulate === 1 ? compileStep : compileAccumulate)(engine, shape),
    apply: accumulate === 1 ? undefined : await compileApply(engine, shape),
    validate: await compileValidation(engine, shape),
  }
}

/** What the numbers depend on: a checkpoint of anything else must not be gone on with. */
function identityOf({ config, train, validation, teacher, weights }: TrainInputs, options: TrainOptions): string {
  const start = [...weights].flatMap(([name, { data }]) => [
    name,
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ])
  const described = JSON.stringify([config, options, train.digest, validation.digest, teacher?.targets.header ?? null])
  return digestParts([described, ...start])
}

function plus(losses: Losses, outputs: Readonly<Record<string, TensorValue>>): Losses {
  const of = (name: keyof Losses): number => losses[name] + (outputs[name]?.data[0] ?? 0)
  return { loss: of('loss'), ce: of('ce'), kl: of('kl'), gradNorm: of('gradNorm') }
}

function checkFinite({ loss, gradNorm }: Losses, step: number): void {
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return
  const message = `At step ${step} the loss is ${loss} and the gradient's norm ${gradNorm}. Lower \`rate\` or \`clip\`; the last good checkpoint is kept.`
  throw new Failure('LOSS_NOT_FINITE', message, { exitCode: 1 })
}
