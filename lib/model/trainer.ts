import { digestParts } from '../data/digest.ts'
import type { Memory, Program, TensorValue } from '../engine/engine.ts'
import { Failure } from '../util/failure.ts'
import { Order, Rows } from './batches.ts'
import type { RowFeeds } from './batches.ts'
import { Checkpoints } from './checkpoint.ts'
import { corrections } from './optimizer.ts'
import { alphaAt, rateAt } from './schedule.ts'
import { compileAccumulate, compileApply, compileStep, compileValidation, emptyState, scalar } from './steps.ts'
import type { StepShape } from './steps.ts'
import { teacherFeeds, teacherHeadName } from './taught.ts'
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

/** Where a training stands, but for its tensors. */
interface Progress {
  /** Steps done. */
  readonly step: number
  /** The losses of the last step, where it was stopped before it was validated and recorded. */
  readonly unrecorded: Losses | undefined
  readonly points: readonly CurvePoint[]
  readonly best: Trained['best']
}

/** Seconds from one checkpoint to the next, unless writing one takes more than a tenth of that. */
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
  readonly #checkpoints: Checkpoints<Progress>
  #done = 0
  #unrecorded: Losses | undefined
  #points: CurvePoint[] = []
  #best: { step: number; loss: number } = { step: 0, loss: Infinity }
  #nextCheckpoint = performance.now() + checkpointSeconds * 1000
  #lastBreath = performance.now()

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
  }

  get done(): boolean {
    return this.#done >= this.#options.rate.steps && !this.#unrecorded
  }

  /** Loads the last checkpoint, or the start; validates the start, so that a training can never leave worse. */
  async resume(): Promise<void> {
    const { config, teacher, weights } = this.#inputs
    if (teacher && 'head' in teacher) this.#memory.write(teacherHeadName, teacher.head)
    const last = this.#checkpoints.load()
    loadInto(this.#memory, last ? last.state : new Map([...weights, ...emptyState(config, this.#options.accumulate)]))
    if (!last) return this.#judge(await this.#validate())
    this.#done = last.progress.step
    this.#unrecorded = last.progress.unrecorded
    this.#points = [...last.progress.points]
    this.#best = last.progress.best
    this.#hooks.log(`resumed after step ${this.#done} of ${this.#options.rate.steps}`)
  }

  /** One step of the optimizer; then, when their time has come: validation, a point of the curves, a checkpoint. */
  async step(): Promise<void> {
    const { rate, validateEvery } = this.#options
    const losses = (this.#unrecorded ??= await this.#learn())
    const isDue = this.#done % validateEvery === 0 || this.#done >= rate.steps
    const validated = isDue ? await this.#validate() : undefined
    this.#record(losses, validated)
    this.#unrecorded = undefined
    if (validated !== undefined) await this.#judge(validated)
    await this.#breathe()
  }

  result(): Trained {
    return { weights: this.#checkpoints.loadBest(this.#best.step), best: this.#best, points: this.#points }
  }

  async dispose(): Promise<void> {
    const { gradient, apply, validate } = this.#programs
    await Promise.all([gradient.dispose(), apply?.dispose(), validate.dispose()])
  }

  async #learn(): Promise<Losses> {
    const losses = await this.#update()
    this.#done += 1
    checkFinite(this.#done, { loss: losses.loss, "gradient's norm": losses.gradNorm })
    return losses
  }

  async #update(): Promise<Losses> {
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
    const { temperature, alpha, rate } = this.#options
    const taught = teacherFeeds(teacher.shape, this.#rows.targets(indices, teacher.targets), temperature)
    const share = scalar(alphaAt(alpha, rate.steps, this.#done))
    return { ...common, ...taught, temperature: scalar(temperature), alpha: share }
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
      await this.#breathe()
    }
    checkFinite(this.#done, { 'validation loss': sum / count })
    return sum / count
  }

  async #judge(loss: number): Promise<void> {
    if (!(loss < this.#best.loss)) return
    this.#best = { step: this.#done, loss }
    this.#checkpoints.saveBest(this.#done, await readFrom(this.#memory, this.#inputs.config))
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

  /**
   * An engine holds the event loop while it computes: signals are heard here. A checkpoint is written before it is due
   * where waiting as long as the last time would be too late.
   */
  async #breathe(): Promise<void> {
    await new Promise(setImmediate)
    const { aborted } = this.#hooks.signal
    const now = performance.now()
    if (aborted || now + (now - this.#lastBreath) >= this.#nextCheckpoint) await this.#checkpoint()
    this.#lastBreath = performance.now()
    if (!aborted) return
    this.#hooks.log(`stopped after step ${this.#done} of ${this.#options.rate.steps}; the checkpoint is written`)
    this.#hooks.signal.throwIfAborted()
  }

  async #checkpoint(): Promise<void> {
    if (this.#best.loss === Infinity) return // the start is not judged yet: there is nothing to lose
    const start = performance.now()
    const { config } = this.#inputs
    const names = [...emptyState(config, this.#options.accumulate).keys()]
    const state = await readFrom(this.#memory, config)
    for (const name of names) state.set(name, await this.#memory.read(name))
    // a loss is that of the weights before its step: what the step made of them is seen here first
    for (const [name, { data }] of state) {
      checkFinite(this.#done, { [`tensor "${name}"`]: data.find((value) => !Number.isFinite(value)) ?? 0 })
    }
    const { points, best } = { points: this.#points, best: this.#best }
    this.#checkpoints.save({ step: this.#done, unrecorded: this.#unrecorded, points, best }, state)
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
  const taught = teacher?.shape
  const shape: StepShape = { config, rows: batch / accumulate, context, chunk, teacher: taught, optimizer, clip }
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
  const taught = teacher ? [teacher.targets.header, teacher.shape] : null
  const described = JSON.stringify([config, options, train.digest, validation.digest, taught])
  return digestParts([described, ...start])
}

function plus(losses: Losses, outputs: Readonly<Record<string, TensorValue>>): Losses {
  const of = (name: keyof Losses): number => losses[name] + (outputs[name]?.data[0] ?? 0)
  return { loss: of('loss'), ce: of('ce'), kl: of('kl'), gradNorm: of('gradNorm') }
}

function checkFinite(step: number, values: Readonly<Record<string, number>>): void {
  for (const [what, value] of Object.entries(values)) {
    if (Number.isFinite(value)) continue
    const message = `After step ${step} the ${what} is ${value}. Lower \`rate\` or \`clip\`; a good checkpoint of before, if there is one, is kept.`
    throw new Failure('LOSS_NOT_FINITE', message, { exitCode: 1 })
  }
}
