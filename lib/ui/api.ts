// What the server answers and the page reads.
import type { Section } from '../pipeline/difference.ts'
import type { Outcome } from '../pipeline/event.ts'
import type { JournalLine, PlainFailure } from '../pipeline/journal.ts'
import type { State } from '../pipeline/plan.ts'
import type { Json, JsonObject } from '../util/json.ts'

export type { Json, JsonObject, JournalLine, Outcome, PlainFailure, Section, State }

/** What an experiment can be sorted and filtered by, and shown in a column. */
export interface Field {
  readonly name: string
  /** Without the prefix that is not needed to tell it. */
  readonly label: string
  readonly kind: 'parameter' | 'metric' | 'other'
}

/** The experiments that were asked for, in order; what is of each stands in lists of the same length. */
export interface TableAnswer {
  /** Of all, found or not. */
  readonly total: number
  readonly fields: readonly Field[]
  readonly columns: readonly string[]
  readonly hashes: readonly string[]
  readonly at: readonly string[]
  readonly tags: readonly (readonly string[])[]
  readonly pinned: readonly boolean[]
  /** A list for each column; null where an experiment has no such value. */
  readonly values: readonly (readonly Json[])[]
}

/** While the records are read for the first time. */
export interface Reading {
  readonly reading: { readonly done: number; readonly total: number }
}

export interface Refusal {
  readonly failures: readonly PlainFailure[]
}

export interface StageDetails {
  readonly name: string
  readonly key: string
  readonly outcome: Outcome
  readonly seconds: number
  readonly device: string | null
  readonly madeAt: string
  readonly reads: readonly string[]
  readonly with: JsonObject
  readonly outputs: readonly string[]
}

export interface ExperimentDetails {
  readonly hash: string
  readonly at: string
  readonly tags: readonly string[]
  readonly pinned: boolean
  readonly hasPage: boolean
  readonly files: readonly string[]
  readonly params: JsonObject
  readonly metrics: JsonObject
  readonly git: { readonly commit: string | null; readonly dirty: boolean | null }
  readonly machine: JsonObject
  readonly engine: string
  readonly stages: readonly StageDetails[]
  /** Parameters as the same files give them today; null where they cannot be read. */
  readonly paramsNow: JsonObject | null
}

/** Measured values by training step; null where nothing was measured. */
export interface Curve {
  readonly steps: readonly number[]
  readonly values: Readonly<Record<string, readonly (number | null)[]>>
}

/** By stage. */
export type Curves = Readonly<Record<string, Curve>>

/** Values in which experiments differ: of each section a row for each name, a cell for each experiment. */
export type Differences = Readonly<Record<Section, readonly DifferenceRow[]>>

export interface DifferenceRow {
  readonly name: string
  /** Undefined is left out of JSON: null stands for what an experiment does not have too. */
  readonly values: readonly (Json | null)[]
}

export interface Artifact {
  readonly path: string
  readonly size: number
}

/** The files of one result; null where it is not in the store. */
export type Artifacts = readonly Artifact[] | null

export interface Sample {
  readonly prompt: string
  /** Continuations by model. */
  readonly answers: Readonly<Record<string, string>>
}

export interface PlannedStage {
  readonly name: string
  readonly state: State
  readonly reason: string
  readonly changes: readonly {
    readonly place: string | null
    readonly field: string
    readonly from: string
    readonly to: string
  }[]
  /** Null where nothing is known. */
  readonly seconds: number | null
  readonly reads: readonly string[]
}

export interface PlanAnswer {
  /** Runs it. */
  readonly command: string
  readonly experiment: string
  readonly stages: readonly PlannedStage[]
  readonly notices: readonly PlainFailure[]
}

export interface RunListed {
  readonly id: string
  readonly at: string
  readonly experiment: string | null
  /** Its process lives. */
  readonly living: boolean
  /** Undefined outcome: it was cut short, or lives. */
  readonly outcome: 'finished' | 'incomplete' | null
}

export interface LogPart {
  readonly text: string
  /** Where the next part begins, in bytes. */
  readonly next: number
}

/** What the page is told as it happens. */
export interface Live {
  /** Changes when an experiment does. */
  readonly version: number
  readonly runs: readonly RunListed[]
}
