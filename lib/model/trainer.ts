import { join } from 'node:path'
import { digestParts } from '../data/digest.ts'
import type { Feeds, Memory, TensorValue } from '../engine/engine.ts'
import { averageName } from './average.ts'
import { Rows } from './batches.ts'
import { Checkpoints } from './checkpoint.ts'
import { StepFeeds } from './feeds.ts'
import { checkFinite } from './finite.ts'
import { openFixed } from './fixed.ts'
import type { FixedStates } from './fixed.ts'
import { afterStep, firstScale } from './loss-scale.ts'
import type { LossScale } from './loss-scale.ts'
import { describeNeeds } from './needs.ts'
import { compilePrograms, disposePrograms, programsOf, runEach } from './programs.ts'
import type { Programs } from './programs.ts'
import { rateAt } from './schedule.ts'
import { startBeside } from './start-state.ts'
import { noLosses, plus, termNames } from './step-losses.ts'
import type { StepLosses } from './step-losses.ts'
import { averagedNames } from './steps.ts'
import { loadTeacher } from './taught.ts'
import { trainingIdentity } from './training-identity.ts'
import { Trajectory } from './trajectory.ts'
import type { CurvePoint, TrainHooks, TrainInputs, TrainOptions, Trained } from './train.ts'
import { validate } from './validation.ts'
import { loadInto, readFrom } from './weights.ts'

/** Where a training stands, but for its tensors. */
interface Progress {
  /** Steps done. */
  readonly step: number
  /** The losses of the last step, where it was stopped before it was validated and recorded. */
  readonly unrecorded: StepLosses | undefined
  readonly points: readonly CurvePoint[]
  readonly best: Trained['best']
  /** Validations since the best. */
  readonly waited: number
  /** Of the loss, where it is scaled. */
  readonly scale?: LossScale
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
  readonly #feeds: StepFeeds
  readonly #validation: Rows
  readonly #checkpoints: Checkpoints<Progress>
  /** Outlives the training, for a longer one of the same beginning. */
  readonly #extend: Checkpoints<Progress>
  readonly #identity: string
  #fixed: FixedStates | undefined
  #done = 0
  #unrecorded: StepLosses | undefined
  #scale: LossScale | undefined
  #points: CurvePoint[] = []
  #best: { step: number; loss: number } = { step: 0, loss: Infinity }
  #waited = 0
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
    this.#feeds = new StepFeeds(inputs, options)
    this.#scale = options.lossScaling && firstScale(options.lossScaling)
    this.#validation = new Rows(inputs.validation, options.context)
    this.#identity = trainingIdentity(inputs, options)
    const trajectory = new Trajectory(inputs, options)
    const identity = (step: number): string => digestParts([this.#identity, trajectory.digest(step)])
    this.#checkpoints = new Checkpoints(hooks.checkpoint, identity)
    this.#extend = new Checkpoints(join(hooks.checkpoint, 'extend'), identity)
  }

  get done(): boolean {
    return (this.#done >= this.#options.rate.steps || this.#isHopeless) && !this.#unrecorded
  }

  get #isHopeless(): boolean {
    const { patience = 0 } = this.#options
    return patience > 0 && this.#waited >= patience
  }

  /** Loads the last checkpoint, or the start; validates the start, so that a training can never leave worse. */
  async resume(): Promise<void> {
    const { engine, teacher, weights } = this.#inputs
    const needs = describeNeeds(engine, programsOf(this.#programs))
    if (needs) this.#hooks.log(needs)
    if (teacher) loadTeacher(this.#memory, teacher)
    const last = this.#checkpoints.load() ?? this.#shorter()
    loadInto(this.#memory, last ? last.state : new Map([...weights, ...startBeside(this.#inputs, this.#options)]))
    this.#fixed = await this.#openFixed()
    if (!last) return this.#judge(await this.#validate())
    this.#done = last.progress.step
    this.#unrecorded = last.progress.unrecorded
    this.#points = [...last.progress.points]
    this.#best = last.progress.best
    this.#waited = last.progress.waited
    this.#scale = last.progress.scale
    this.#hooks.log(`resumed after step ${this.#done} of ${this.#options.rate.steps}`)
  }

  /** Where a shorter training of the same beginning left off. */
  #shorter(): ReturnType<Checkpoints<Progress>['find']> {
    const last = this.#extend.find()
    if (!last || last.progress.step > this.#options.rate.steps) return undefined
    const { step } = last.progress.best
    this.#checkpoints.saveBest(step, this.#extend.loadBest(step))
    return { ...last, progress: { ...last.progress, points: this.#thinned(last.progress.points) } }
  }

  /** One step of the optimizer; then, when their time has come: validation, a point of the curves, a checkpoint. */
  async step(): Promise<void> {
    const { rate, validateEvery, keepAt = 0 } = this.#options
    const losses = (this.#unrecorded ??= await this.#learn())
    if (this.#done === keepAt) await this.#keep()
    const isDue = this.#done % validateEvery === 0 || this.#done >= rate.steps
    const validated = isDue ? await this.#validate() : undefined
    this.#record(losses, validated, isDue ? await this.#ask() : undefined)
    this.#unrecorded = undefined
    if (validated !== undefined) await this.#judge(validated)
    await this.#breathe()
  }

  result(): Trained {
    return { weights: this.#checkpoints.loadBest(this.#best.step), best: this.#best, points: this.#points }
  }

  async dispose(): Promise<void> {
    this.#fixed?.close()
    await disposePrograms(this.#programs)
  }

  async #openFixed(): Promise<FixedStates | undefined> {
    const { fixed: program } = this.#programs
    if (!program) return undefined
    const { batch, accumulate, fixed = 0, attend } = this.#options
    this.#hooks.log(`what comes out of the first ${fixed} layers, which do not learn, is kept`)
    const { width } = this.#inputs.config
    const model = { program, memory: this.#memory, size: batch / accumulate, width, attend }
    const file = join(this.#hooks.checkpoint, 'fixed', `${this.#identity}.bin`)
    return openFixed(file, this.#feeds.rows, model, () => this.#breathe())
  }

  async #learn(): Promise<StepLosses> {
    const found = await this.#update()
    this.#done += 1
    const losses = this.#rescaled(found)
    checkFinite(this.#done, { loss: losses.loss, "gradient's norm": losses.gradNorm })
    return losses
  }

  /** What the scale of the loss is to be after a step; where that was left out, the step had no gradient. */
  #rescaled(losses: StepLosses): StepLosses {
    const [before, { lossScaling }] = [this.#scale, this.#options]
    if (!before || !lossScaling) return losses
    const { scale, skipped } = (this.#scale = afterStep(before, losses.gradNorm, lossScaling))
    if (skipped === before.skipped) return losses
    const what = `the update of step ${this.#done} is left out: its gradient overflowed with the loss scaled by ${before.scale}`
    this.#hooks.log(`${what}, which is ${scale} now; ${skipped} left out so far`)
    return { ...losses, gradNorm: 0 }
  }

  async #update(): Promise<StepLosses> {
    const { gradient, apply } = this.#programs
    const feedsOf = (step: number): readonly Feeds[] => this.#feeds.ofStep(step, this.#fixed, !apply, this.#scale)
    const [now, after] = [this.#done, this.#done + 1]
    // the scale of the loss follows from the step before
    const isKnown = after < this.#options.rate.steps && !this.#scale
    const following = (): Feeds | undefined => (isKnown ? feedsOf(after)[0] : undefined)
    let losses = noLosses(termNames(this.#inputs.teacher))
    for await (const found of runEach(gradient, this.#memory, feedsOf(now), following)) losses = plus(losses, found)
    return apply ? plus(losses, await apply.run(this.#feeds.update(now, this.#scale), this.#memory)) : losses
  }

  async #validate(): Promise<number> {
    const { validate: program } = this.#programs
    const loss = await validate(program, this.#memory, this.#validation, this.#options, () => this.#breathe())
    checkFinite(this.#done, { 'validation loss': loss })
    return loss
  }

  async #judge(loss: number): Promise<void> {
    this.#waited += 1
    if (loss < this.#best.loss) {
      this.#best = { step: this.#done, loss }
      this.#waited = 0
      this.#checkpoints.saveBest(this.#done, await this.#result())
    }
    if (this.#isHopeless)
      this.#hooks.log(`ended after step ${this.#done}: ${this.#waited} validations without a new best`)
  }

  /** The weights, or their averages. */
  async #result(): Promise<Map<string, TensorValue>> {
    const { config } = this.#inputs
    const weights = await readFrom(this.#memory, config)
    for (const name of averagedNames({ ...this.#options, config })) {
      weights.set(name, await this.#memory.read(averageName(name)))
    }
    return weights
  }

  /** By the weights as they are, not by their averages. */
  async #ask(): Promise<number | undefined> {
    const { engine, config } = this.#inputs
    return this.#hooks.ask?.({ engine, memory: this.#memory, config })
  }

  #record(losses: StepLosses, validationLoss: number | undefined, accNorm: number | undefined): void {
    const { loss, ce, terms, gradNorm } = losses
    const { rate } = this.#options
    const point: CurvePoint = {
      step: this.#done,
      epoch: this.#feeds.epochAt(this.#done),
      loss,
      ce,
      ...(this.#inputs.teacher ? { terms } : {}),
      rate: rateAt(rate, this.#done - 1),
      gradNorm,
      ...(this.#scale ? { lossScale: this.#scale.scale, skipped: this.#scale.skipped } : {}),
      ...(validationLoss === undefined ? {} : { validationLoss }),
      ...(accNorm === undefined ? {} : { accNorm }),
    }
    this.#hooks.onStep(point, rate.steps)
    this.#points.push(...this.#thinned([point]))
  }

  /** A longer training has every second of the points that a shorter one has, or all. */
  #thinned(points: readonly CurvePoint[]): CurvePoint[] {
    const every = 2 ** Math.max(0, Math.ceil(Math.log2(this.#options.rate.steps / curveResolution)))
    return points.filter(({ step, validationLoss }) => validationLoss !== undefined || step % every === 0)
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
    await this.#save(this.#checkpoints)
    const end = performance.now()
    this.#nextCheckpoint = end + Math.max(checkpointSeconds * 1000, 10 * (end - start))
  }

  /** The training so far, as it would be in the middle of a longer one. */
  async #keep(): Promise<void> {
    const { step } = this.#best
    this.#extend.saveBest(step, this.#checkpoints.loadBest(step))
    await this.#save(this.#extend)
  }

  async #save(to: Checkpoints<Progress>): Promise<void> {
    const { config } = this.#inputs
    const names = [...startBeside(this.#inputs, this.#options).keys()]
    const state = await readFrom(this.#memory, config)
    for (const name of names) state.set(name, await this.#memory.read(name))
    // a loss is that of the weights before its step: what the step made of them is seen here first
    for (const [name, { data }] of state) {
      checkFinite(this.#done, { [`tensor "${name}"`]: data.find((value) => !Number.isFinite(value)) ?? 0 })
    }
    const [step, unrecorded, points] = [this.#done, this.#unrecorded, this.#points]
    const scaled = this.#scale ? { scale: this.#scale } : {}
    to.save({ step, unrecorded, points, best: this.#best, waited: this.#waited, ...scaled }, state)
  }
}
