import { totalsOf } from '../pipeline/estimate.ts'
import type { Estimate, Totals } from '../pipeline/estimate.ts'
import type { Cause } from '../pipeline/causes.ts'
import type { EstimatedPlan, Plan, StagePlan, State } from '../pipeline/plan.ts'
import { duration, table } from './format.ts'
import { shardLines } from './shards.ts'
import { style } from './style.ts'
import { placeName } from './words.ts'
import { widthOf, wrap } from './wrap.ts'

export const planJson = ({ experiment, stages }: Plan): Readonly<Record<string, unknown>> => ({
  type: 'plan',
  experiment,
  stages: stages.map(({ stage, ...plan }) => ({ name: stage, ...plan })),
  estimate: totalsOf(stages),
})

const WORDS = { fresh: 'fresh', restore: 'restore', run: 'run', 'may-run': 'may run' } as const satisfies Record<
  State,
  string
>
const STYLES = { fresh: 'plain', restore: 'cyan', run: 'green', 'may-run': 'yellow' } as const satisfies Record<
  State,
  string
>

/** What would happen to each stage, and why, down to the line that was changed. */
export function planLines({ experiment, stages }: Plan): string {
  const lines = stages.flatMap((stage) => [
    ...wrap(stageLine(stage), widthOf(process.stdout), BELOW_STATE),
    ...changeLines(stage),
    ...causeLines(stage).flatMap((line) => wrap(CHANGE + line, widthOf(process.stdout), `${CHANGE}  `)),
    ...(stage.shards ? shardLines(stage.shards).map((line) => CHANGE + line) : []),
  ])
  return [
    `experiment ${style('bold', experiment.slice(0, 16))}`,
    ...lines,
    summary(stages),
    ...totalLines(totalsOf(stages)),
  ].join('\n')
}

/** The stages that are not fresh, a line for each state. */
export function stateLines({ stages }: Plan): string {
  const states = (['restore', 'run', 'may-run'] as const).flatMap((state) => {
    const names = stages.filter((stage) => stage.state === state).map(({ stage }) => stage)
    return names.length === 0 ? [] : [`${stateWord(state)} ${names.join(', ')}`]
  })
  return states.length === 0 ? 'all stages are fresh' : states.join('\n')
}

/** As wide as the widest of them. */
export const stateWord = (state: State): string => style(STYLES[state], WORDS[state].padEnd(8))
/** Where what follows it goes on. */
export const BELOW_STATE = ' '.repeat(9)

function stageLine({ stage, state, reason, changes, estimate }: EstimatedPlan): string {
  const time = estimate === null ? '' : ` (about ${duration(estimate.seconds)})`
  return `${stateWord(state)} ${stage}${time}  ${changes.length > 0 ? 'this changed:' : reason}`
}

/** What runs takes so long in sum; several stages at once take less. None where nothing is known, or nothing runs. */
export function totalLines({ run, mayRun }: Totals): string[] {
  const all = { seconds: run.seconds + mayRun.seconds, gpuSeconds: run.gpuSeconds + mayRun.gpuSeconds }
  if (all.seconds === 0) return []
  const range = (from: number, to: number): string =>
    from === to ? duration(to) : `${duration(from)} to ${duration(to)}`
  const gpu = all.gpuSeconds > 0 ? `, ${range(run.gpuSeconds, all.gpuSeconds)} of GPU time` : ''
  const unknown = run.unknown + mayRun.unknown
  const others = unknown === 0 ? '' : `; ${unknown} ${unknown === 1 ? 'stage has' : 'stages have'} no earlier result`
  return [`about ${range(run.seconds, all.seconds)} in sum${gpu}${others}`]
}

export const estimateWords = ({ seconds, gpuSeconds, results }: Estimate): string => {
  const gpu = gpuSeconds > 0 ? `, ${duration(gpuSeconds)} of GPU time` : ''
  const from = results === 1 ? 'as the earlier result' : `the median of ${results} earlier results`
  return `about ${duration(seconds)}${gpu}, ${from}`
}

const CHANGE = `${BELOW_STATE}  `

function changeLines({ changes }: StagePlan): string[] {
  const rows = changes.map(({ place, field, from, to }) => [place ? placeName(place) : '', field, `${from} → ${to}`])
  // a change of code has no place in the configuration: the column is left out where all are such
  const shown = rows.some(([place]) => place !== '') ? rows : rows.map((row) => row.slice(1))
  return shown.length === 0
    ? []
    : table(shown, widthOf(process.stdout) - CHANGE.length)
        .split('\n')
        .map((line) => CHANGE + line)
}

/** `reads tokenize.tokens, which changed by …`: a line for each beginning of what others make. */
function causeLines({ causes }: EstimatedPlan): string[] {
  const reads = new Map<string, string[]>()
  for (const cause of causes) {
    const words = `which ${cause.changed ? 'changed' : 'may change'} by ${causeWords(cause)}`
    reads.set(words, [...(reads.get(words) ?? []), cause.reads])
  }
  return [...reads].map(([words, outputs]) => `reads ${outputs.join(', ')}, ${words}`)
}

function causeWords({ stage, change, reason }: Cause): string {
  if (change === null) return `${stage}: ${reason}`
  const { field, from, to, place } = change
  const name = stage.replace(/\[.*/s, '')
  const whose = field.startsWith(`${name}.`) || field.includes('/') ? '' : `${stage}: `
  return `${whose}${field} ${from} → ${to}${place ? ` (${placeName(place)})` : ''}`
}

function summary(stages: readonly StagePlan[]): string {
  const counts = new Map<State, number>()
  for (const { state } of stages) counts.set(state, (counts.get(state) ?? 0) + 1)
  const parts = [...counts].map(([state, count]) => `${count} ${WORDS[state]}`)
  return parts.join(', ') || 'no stages'
}
