import { relative } from 'node:path'
import type { Event, Outcome, RepeatedStage } from '../pipeline/event.ts'
import { Failure } from '../util/failure.ts'
import { duration, metricLines, table } from './format.ts'
import { failureJson, write, writeError, writeJson } from './output.ts'
import { style } from './style.ts'
import { wordFailure } from './words.ts'
import { widthOf, wrap } from './wrap.ts'

export type Printer = (event: Event) => void

/** One JSON object a line for each event, and nothing else. */
export const jsonPrinter: Printer = (event) =>
  writeJson(event.type === 'failure' ? { ...event, failure: failureJson(event.failure) } : event)

/** A stage that is at work says how far it is at most this often. */
const PROGRESS_MS = 5000
const LAST_LINES = 10
/** Stages that are already there are named up to so many. */
const MOST_NAMES = 12

export interface Manner {
  /** A block under the lines shows who is at work: lines say how it ended alone. */
  readonly live?: boolean
  /** What stages write to their logs, as it comes. */
  readonly verbose?: boolean
  /** Failures, and what there is in the end. */
  readonly quiet?: boolean
  /** Where an error of a stage's code was thrown. */
  readonly stacks?: boolean
  /** The command that runs one stage alone, if it failed. */
  readonly again?: (stage: string) => string
}

/** Words events as plain lines: what starts, how far it is now and then, how it ended, and what there is in the end. */
export function linePrinter(manner: Manner = {}): Printer {
  const state: State = {
    manner,
    there: new Map(),
    lines: new Map(),
    said: new Map(),
    start: performance.now(),
    again: false,
  }
  return (event) => {
    if (manner.quiet !== true || SAID_QUIETLY.has(event.type)) print(event, state)
  }
}

/** Log lines are printed with a failure alone, as is all that waits to be said in one line. */
const SAID_QUIETLY: ReadonlySet<Event['type']> = new Set([
  'stage-log',
  'notice',
  'failure',
  'finished',
  'reproduced',
  'repeated',
])

interface State {
  readonly manner: Manner
  /** Stages that needed no run, by outcome, not yet said. */
  readonly there: Map<Outcome, string[]>
  /** The last lines that each stage wrote. */
  readonly lines: Map<string, string[]>
  /** When each stage's progress was last said. */
  readonly said: Map<string, number>
  start: number
  /** Whether a run has started before, as with `--watch`. */
  again: boolean
}

/** Each run says how long it took itself. */
function restart(state: State): void {
  for (const part of [state.there, state.lines, state.said]) part.clear()
  state.start = performance.now()
}

function print(event: Event, state: State): void {
  switch (event.type) {
    case 'started':
      if (state.again) restart(state)
      state.again = true
      write(`experiment ${style('bold', event.experiment.slice(0, 16))}`)
      break
    case 'stage-started':
      if (state.manner.live === true) break
      flush(state)
      state.said.set(event.stage, performance.now())
      write(`${style('cyan', 'start')}    ${event.stage}  ${event.reason}`)
      break
    case 'stage-progress':
      if (state.manner.live !== true) printProgress(event, state)
      break
    case 'stage-device':
      break // said when it has finished
    case 'stage-log':
      if (state.manner.verbose === true) write(`${event.stage} │ ${event.line}`)
      state.lines.set(event.stage, [...(state.lines.get(event.stage) ?? []), event.line].slice(-LAST_LINES))
      break
    case 'stage-finished':
      printStage(event, state)
      break
    case 'notice':
      writeError(wordFailure(new Failure(event.code, event.message), 'warning'))
      break
    case 'logged':
      flush(state)
      write(`${'logged'.padEnd(8)} ${event.to}  ${event.where}`)
      break
    case 'failure':
      flush(state)
      printFailure(event, state)
      break
    case 'finished':
      flush(state)
      printEnd(event, state)
      break
    case 'watching':
      write(`watching ${event.paths} files and folders; Ctrl-C ends`)
      break
    case 'changed': {
      flush(state)
      const stopped = event.stopped.length === 0 ? '' : `: stopping ${listed(event.stopped)}`
      write(`\n${style('yellow', 'changed')}  ${listed(event.paths)}${stopped}`)
      break
    }
    case 'reproduced':
      printReproduced(event)
      break
    case 'repeated':
      flush(state)
      for (const stage of event.stages) printRepeated(stage)
      break
  }
}

function flush({ there, manner }: State): void {
  for (const [outcome, stages] of there) {
    const mark = outcome === 'skipped' ? '–' : style('green', '✓')
    const live = `${mark} ${listed(stages)}  ${outcome}`
    const line = manner.live === true ? live : `${outcome.padEnd(8)} ${listed(stages)}`
    write(wrap(line, widthOf(process.stdout), '  ').join('\n'))
  }
  there.clear()
}

const listed = (stages: readonly string[]): string =>
  stages.length > MOST_NAMES ? `${stages.slice(0, MOST_NAMES).join(', ')}, … (${stages.length})` : stages.join(', ')

function printProgress(event: Extract<Event, { type: 'stage-progress' }>, { said }: State): void {
  const now = performance.now()
  if (now - (said.get(event.stage) ?? 0) < PROGRESS_MS) return
  said.set(event.stage, now)
  const loss = event.loss === undefined ? '' : `  loss ${event.loss.toFixed(3)}`
  const part = event.total > 0 ? ` (${Math.floor((100 * event.done) / event.total)} %)` : ''
  write(`         ${event.stage}  ${event.done} of ${event.total} ${event.unit}${part}${loss}`)
}

function printStage(event: Extract<Event, { type: 'stage-finished' }>, state: State): void {
  const { name, outcome, key } = event
  const live = state.manner.live === true
  const took = duration(event.seconds)
  if (outcome === 'failed') {
    flush(state)
    write(`${live ? style('red', '✗') : style('red', 'failed  ')} ${name}  ${took}`)
    return
  }
  if (live && outcome === 'restored' && key !== null) {
    flush(state)
    write(`${style('green', '✓')} ${name}  ${took}  restored from ${key.slice(0, 8)}`)
    return
  }
  if (outcome !== 'ran') {
    state.there.set(outcome, [...(state.there.get(outcome) ?? []), name])
    return
  }
  flush(state)
  const device = event.device === undefined ? '' : `  ${event.device}`
  write(`${live ? `${style('green', '✓')} ` : `${style('green', 'done')}     `}${name}  ${took}${device}`)
}

function printFailure(event: Extract<Event, { type: 'failure' }>, { lines, manner }: State): void {
  const { stage, failure, log } = event
  const isNamed = stage === null || failure.message.includes(`"${stage}"`)
  writeError(wordFailure(failure, 'error', isNamed ? '' : `Stage "${stage}": `))
  const last = stage === null ? [] : (lines.get(stage) ?? [])
  const width = widthOf(process.stderr) - '  │ '.length
  for (const line of last.flatMap((text) => wrap(text, width, ''))) writeError(`  │ ${line}`)
  const { cause: stack } = failure
  if (manner.stacks === true && typeof stack === 'string' && stack !== '') writeError(stack)
  if (log !== null) writeError(`  its log: ${log}`)
  if (stage !== null && log !== null && manner.again) writeError(`  to run it alone: ${manner.again(stage)}`)
}

function printEnd({ stages, metrics, experiment }: Extract<Event, { type: 'finished' }>, { start }: State): void {
  if (Object.keys(metrics).length > 0) write(`\n${metricLines(metrics, widthOf(process.stdout))}\n`)
  const counts = new Map<Outcome, number>()
  for (const { outcome } of stages) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  const summary = [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ')
  const word = experiment === null ? style('red', 'incomplete') : style('green', 'finished')
  write(`${word} in ${duration((performance.now() - start) / 1000)}: ${summary || 'nothing to run'}`)
}

/** `identical  first, repeat[2]`: a line for each result that there is. */
function printReproduced({ stages }: Extract<Event, { type: 'reproduced' }>): void {
  for (const result of ['identical', 'within', 'different', 'failed', 'skipped'] as const) {
    const names = stages.filter((stage) => stage.result === result).map(({ name }) => name)
    const word = style(result === 'identical' ? 'green' : result === 'within' ? 'yellow' : 'red', result.padEnd(10))
    if (names.length > 0) write(`${word} ${listed(names)}`)
  }
}

/** Each file that came out otherwise, and where it does first. */
function printRepeated({ name, result, seconds, files, kept, devices: [first, second] }: RepeatedStage): void {
  const word = style(result === 'identical' ? 'green' : 'red', result.padEnd(10))
  write(`${word} ${name}  ${duration(seconds)}`)
  const rows = files.map(({ path, place, first, second }) => [path, place, `${first}, then ${second}`])
  if (rows.length > 0) write(table(rows).replace(/^/gm, '  '))
  if (kept === null) return
  if (first !== second) write(`  it ran on ${first ?? 'an unnamed device'}, then on ${second ?? 'an unnamed device'}`)
  write(`  the stored result stays; the second is in ${relative(process.cwd(), kept)} until the next gc`)
}
