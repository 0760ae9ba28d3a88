import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readSafetensors } from '../data/safetensors.ts'
import type { Checkpoint } from '../data/checkpoint.ts'
import { writeSafetensors } from '../data/safetensors-write.ts'
import type { TensorValue } from '../engine/engine.ts'
import { Failure } from '../util/failure.ts'

/** Where a training stands, but for its tensors, as JSON. */
interface Progress {
  /** Steps done. */
  readonly step: number
  /** The best step on the validation split so far; its weights lie beside. */
  readonly best: { readonly step: number }
}

interface Saved<P> {
  readonly progress: P
  readonly state: Map<string, TensorValue>
}

type Tensors = ReadonlyMap<string, TensorValue>

/**
 * A training's checkpoints in one folder. The state and the best weights are files of their own, each written whole or
 * not at all, the best ones first: a kill between the two leaves the last state with the best weights that it names.
 * Folders in it are others'.
 */
export class Checkpoints<P extends Progress> {
  readonly #folder: string
  readonly #identity: (step: number) => string

  /** `identity` is what the training is until so many steps are done: a checkpoint of another one is refused. */
  constructor(folder: string, identity: (step: number) => string) {
    this.#folder = folder
    this.#identity = identity
  }

  saveBest(step: number, weights: Tensors): void {
    mkdirSync(this.#folder, { recursive: true })
    writeSafetensors(this.#best(step), weights, { dtype: 'F32' })
  }

  save(progress: P, state: Tensors): void {
    const metadata = { identity: this.#identity(progress.step), progress: JSON.stringify(progress) }
    writeSafetensors(this.#state, state, { dtype: 'F32', metadata })
    for (const entry of readdirSync(this.#folder, { withFileTypes: true })) {
      const file = join(this.#folder, entry.name)
      const current = file === this.#state || file === this.#best(progress.best.step)
      if (entry.isFile() && !current) rmSync(file, { force: true })
    }
  }

  /** What `saveBest` wrote: of the step that the last checkpoint names, or of a later one. Throws Failure SAFETENSORS_…. */
  loadBest(step: number): Map<string, TensorValue> {
    return tensorsOf(this.#best(step))
  }

  /** The last checkpoint, or undefined. Throws Failure CHECKPOINT_FOREIGN, SAFETENSORS_…. */
  load(): Saved<P> | undefined {
    if (!existsSync(this.#state)) return undefined
    const saved = this.find()
    if (saved) return saved
    const message = `The checkpoint "${this.#state}" belongs to another training. Remove its folder to start anew.`
    throw new Failure('CHECKPOINT_FOREIGN', message)
  }

  /** The last checkpoint if it is of this training. Throws Failure SAFETENSORS_…. */
  find(): Saved<P> | undefined {
    if (!existsSync(this.#state)) return undefined
    const { metadata } = open(this.#state)
    const progress = JSON.parse(metadata.get('progress')!) as P
    if (metadata.get('identity') !== this.#identity(progress.step)) return undefined
    return { progress, state: tensorsOf(this.#state) }
  }

  get #state(): string {
    return join(this.#folder, 'state.safetensors')
  }

  #best(step: number): string {
    return join(this.#folder, `best-${step}.safetensors`)
  }
}

function tensorsOf(file: string): Map<string, TensorValue> {
  const checkpoint = open(file)
  const read = (name: string): [string, TensorValue] => {
    const tensor = checkpoint.tensor(name)
    return [name, { shape: tensor.shape, data: tensor.data() }]
  }
  return new Map(checkpoint.names.map(read))
}

function open(file: string): Checkpoint {
  const read = readSafetensors(file)
  if (!read.ok) throw read.error
  return read.value
}
