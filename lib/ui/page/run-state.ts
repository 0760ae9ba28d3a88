import type { JournalLine, Outcome, PlainFailure } from '../api.ts'

export interface StageNow {
  readonly name: string
  readonly state: 'waiting' | 'running' | Outcome
  readonly reason: string
  readonly device: string | undefined
  readonly seconds: number | undefined
  /** When it began, in ms since 1970. */
  readonly since: number | undefined
  readonly progress: { readonly done: number; readonly total: number; readonly unit: string } | undefined
  /** How far it was, and its loss then. */
  readonly losses: readonly (readonly [done: number, loss: number])[]
}

/** A run as far as its journal tells. */
export interface RunState {
  readonly experiment: string | undefined
  readonly reads: Readonly<Record<string, readonly string[]>>
  readonly stages: ReadonlyMap<string, StageNow>
  readonly failures: readonly (PlainFailure & { readonly stage: string | null })[]
  readonly notices: readonly string[]
  readonly finished: 'complete' | 'incomplete' | undefined
}

export const NO_RUN: RunState = {
  ...{ experiment: undefined, reads: {}, stages: new Map<string, StageNow>() },
  ...{ failures: [], notices: [], finished: undefined },
}

const WAITING: Omit<StageNow, 'name'> = {
  ...{ state: 'waiting', reason: '', device: undefined, seconds: undefined, since: undefined, progress: undefined },
  losses: [],
}

/** More are no finer line. */
const MOST_LOSSES = 2000

/** The state after these lines; the one before stays as it was. */
export function follow(before: RunState, lines: readonly JournalLine[]): RunState {
  let state: RunState = { ...before, stages: new Map(before.stages) }
  const losses = new Map<string, [number, number][]>()
  for (const line of lines) {
    if (line.type === 'stage-progress' && line.loss !== undefined) add(losses, line.stage, [line.done, line.loss])
    state = after(state, line)
  }
  for (const [name, more] of losses) change(state, name, ({ losses }) => ({ losses: halved([...losses, ...more]) }))
  return state
}

function after(state: RunState, line: JournalLine): RunState {
  switch (line.type) {
    case 'run':
      return { ...state, reads: line.reads }
    case 'started':
      for (const name of line.stages) change(state, name, () => ({}))
      return { ...state, experiment: line.experiment }
    case 'stage-started':
      change(state, line.stage, () => ({ ...WAITING, state: 'running', reason: line.reason, since: line.time }))
      return state
    case 'stage-device':
      change(state, line.stage, () => ({ device: line.device }))
      return state
    case 'stage-progress':
      change(state, line.stage, () => ({ progress: { done: line.done, total: line.total, unit: line.unit } }))
      return state
    case 'stage-finished':
      change(state, line.name, ({ device }) => ({
        ...{ state: line.outcome, seconds: line.seconds, device: line.device ?? device },
      }))
      return state
    case 'failure':
      return { ...state, failures: [...state.failures, { ...line.failure, stage: line.stage }] }
    case 'notice':
      return { ...state, notices: [...state.notices, line.message] }
    case 'finished':
      return { ...state, finished: line.experiment === null ? 'incomplete' : 'complete' }
    // of other commands, or in the logs
    case 'stage-log':
    case 'logged':
    case 'watching':
    case 'changed':
    case 'reproduced':
    case 'repeated':
      return state
  }
}

function change(state: RunState, name: string, to: (stage: StageNow) => Partial<StageNow>): void {
  const stages = state.stages as Map<string, StageNow>
  const stage = stages.get(name) ?? { name, ...WAITING }
  stages.set(name, { ...stage, ...to(stage) })
}

/** Every second is dropped, so that the whole training stays in sight. */
const halved = <T>(points: readonly T[]): readonly T[] =>
  points.length > MOST_LOSSES ? halved(points.filter((_, i) => i % 2 === 0)) : points

function add<T>(to: Map<string, T[]>, name: string, value: T): void {
  const known = to.get(name) ?? []
  known.push(value)
  to.set(name, known)
}
