import type { Digest } from './canonical.ts'
import type { Change } from './changes.ts'
import type { InputIdentity } from './key.ts'
import type { Manifest } from './manifest.ts'
import { nearestResult } from './nearest.ts'
import type { Nearest } from './nearest.ts'
import type { Input, OutputRef, Stage } from './pipeline.ts'
import type { Planned } from './plan.ts'
import { recordOf, sourcesOf } from './prepare.ts'
import type { Prepared } from './prepare.ts'

/** Where a chain of causes begins: with a change, or with a stage that runs for another reason. */
export interface Origin {
  readonly stage: string
  readonly change: Change | null
  readonly reason: string
}

/** Why an input of a stage is another one, or may be, for what an earlier stage is made from. */
export interface Cause extends Origin {
  /** The output that is read, `stage.output`. */
  readonly reads: string
  /** Whether it is another one already; else the stage that makes it has yet to run. */
  readonly changed: boolean
}

/** So many origins are told of what is read, and so many causes of a stage: a long chain would tell all of them at each. */
const MOST_ORIGINS = 3
const MOST_CAUSES = 10
/** Of stages that are there and read each other, what lies further back is left to `explain`. */
const MOST_STEPS = 200

/** For each stage that runs, or may, and has run before: where what it reads of others comes to be another. */
export function causesOf(prepared: Prepared, planned: Planned): ReadonlyMap<string, readonly Cause[]> {
  const origins = new Origins(prepared, planned)
  const causes = new Map<string, readonly Cause[]>()
  for (const { stage: id, state } of planned.stages) {
    const nearest = planned.nearest.get(id)
    if (nearest === undefined || (state !== 'run' && state !== 'may-run')) continue
    const found = origins.causesOf(prepared.byId.get(id)!, nearest)
    if (found.length > 0) causes.set(id, found)
  }
  return causes
}

/** Each stage is followed once for each result that it is compared with, so that a long chain takes as long as it is. */
class Origins {
  readonly #prepared: Prepared
  readonly #planned: Planned
  readonly #plans: ReadonlyMap<string, Planned['stages'][number]>
  readonly #known = new Map<string, readonly Origin[]>()
  readonly #made = new Map<string, ReadonlyMap<Digest, readonly Manifest[]>>()

  constructor(prepared: Prepared, planned: Planned) {
    this.#prepared = prepared
    this.#planned = planned
    this.#plans = new Map(planned.stages.map((plan) => [plan.stage, plan]))
  }

  causesOf(stage: Stage, nearest: Nearest): Cause[] {
    const causes: Cause[] = []
    for (const read of changedReads(this.#planned, stage, nearest.manifest)) {
      const changed = this.#planned.settled.has(read.ref.stage)
      const reads = `${read.ref.stage}.${read.ref.output}`
      for (const origin of this.#through(stage, nearest, read, 0)) {
        causes.push({ reads, changed, ...origin })
        if (causes.length === MOST_CAUSES) return causes
      }
    }
    return causes
  }

  /** Why what a stage reads is not what it read then. */
  #through(reader: Stage, then: Nearest, { name, ref, before }: ChangedRead, steps: number): readonly Origin[] {
    const stage = this.#prepared.byId.get(ref.stage)!
    const { reason } = this.#plans.get(ref.stage)!
    if (steps > MOST_STEPS) return [{ stage: stage.id, change: null, reason }]
    const nearest = this.#compared(stage, ref.output, before)
    if (nearest !== undefined) return this.#of(stage, nearest, steps)
    // it was made by another stage, or is gone: what is known is that the input is another
    const change = then.changes.find(({ field }) => field.split(' ')[0] === `in.${name}`)
    return [change === undefined ? { stage: stage.id, change: null, reason } : { stage: reader.id, change, reason }]
  }

  /** Where the differences between a stage and an earlier result begin; the stage itself where there are none. */
  #of(stage: Stage, nearest: Nearest, steps: number): readonly Origin[] {
    const id = `${stage.id} ${nearest.manifest.key}`
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const { reason } = this.#plans.get(stage.id)!
    const found: Origin[] = nearest.changes
      .filter(({ field }) => !isReadOfStage(stage, field))
      .map((change) => ({ stage: stage.id, change, reason }))
    for (const read of changedReads(this.#planned, stage, nearest.manifest)) {
      if (found.length >= MOST_ORIGINS) break
      found.push(
        ...this.#through(stage, nearest, read, steps + 1).filter((one) => !found.some((same) => isSame(one, same))),
      )
    }
    const origins = found.length === 0 ? [{ stage: stage.id, change: null, reason }] : found.slice(0, MOST_ORIGINS)
    this.#known.set(id, origins)
    return origins
  }

  /** The earlier result of a stage in which an output was as it was read. */
  #compared(stage: Stage, output: string, digest: Digest): Nearest | undefined {
    const planned = this.#planned.nearest.get(stage.id)
    if (planned?.manifest.outputs[output]?.digest === digest) return planned
    const results = this.#madeAs(stage.name, output).get(digest) ?? []
    const record = recordOf(this.#prepared, stage, this.#planned.settled)
    return nearestResult(stage, record, sourcesOf(this.#prepared, stage), results)
  }

  /** Earlier results of all cells of a stage, by the content of an output. */
  #madeAs(name: string, output: string): ReadonlyMap<Digest, readonly Manifest[]> {
    const id = `${name}.${output}`
    const known = this.#made.get(id)
    if (known !== undefined) return known
    const made = new Map<Digest, Manifest[]>()
    for (const manifest of this.#planned.earlier(name)) {
      const digest = manifest.outputs[output]?.digest
      if (digest === undefined) continue
      const equal = made.get(digest)
      if (equal === undefined) made.set(digest, [manifest])
      else equal.push(manifest)
    }
    this.#made.set(id, made)
    return made
  }
}

const isSame = (a: Origin, b: Origin): boolean => a.stage === b.stage && a.change?.field === b.change?.field

function isReadOfStage(stage: Stage, field: string): boolean {
  const name = /^in\.(\S+)/.exec(field)?.[1]
  const kind = name === undefined ? undefined : stage.in[name]?.kind
  return kind === 'stage' || kind === 'gather'
}

export interface ChangedRead {
  /** Of the input. */
  readonly name: string
  readonly ref: OutputRef
  /** Of what was read then. */
  readonly before: Digest
}

/** What a stage reads of others that is not what it read then, or may not be. */
export const changedReads = (
  { settled }: Pick<Planned, 'settled'>,
  stage: Stage,
  { record: { in: then } }: Manifest,
): ChangedRead[] =>
  Object.entries(stage.in)
    .flatMap(([name, input]) => readsThen(name, input, then[name]))
    .filter(({ ref, before }) => settled.get(ref.stage)?.outputs[ref.output] !== before)

/** Outputs that an input reads now and read then; one that is new is a difference of the stage that reads it. */
function readsThen(name: string, input: Input, then: InputIdentity | undefined): ChangedRead[] {
  if (then === undefined) return []
  if (input.kind === 'stage' && 'content' in then) {
    return [{ name, ref: { stage: input.stage, output: input.output }, before: then.content }]
  }
  if (input.kind !== 'gather' || !('cells' in then)) return []
  return Object.entries(input.cells).flatMap(([cell, ref]) => {
    const before = then.cells[cell]
    return before === undefined ? [] : [{ name, ref, before }]
  })
}
