import type { Plan, StagePlan, State } from '../pipeline/plan.ts'
import { table } from './format.ts'
import { style } from './style.ts'
import { placeName } from './words.ts'

export const planJson = ({ experiment, stages }: Plan): Readonly<Record<string, unknown>> => ({
  type: 'plan',
  experiment,
  stages: stages.map(({ stage, state, reason, key, changes }) => ({ name: stage, state, reason, key, changes })),
})

const WORDS = { fresh: 'fresh', restore: 'restore', run: 'run', 'may-run': 'may run' } as const satisfies Record<
  State,
  string
>
const STYLES = { fresh: 'dim', restore: 'cyan', run: 'green', 'may-run': 'yellow' } as const satisfies Record<
  State,
  string
>

/** What would happen to each stage, and why, down to the line that was changed. */
export function planLines({ experiment, stages }: Plan): string {
  const lines = stages.flatMap((stage) => [stageLine(stage), ...changeLines(stage)])
  return [`experiment ${style('bold', experiment.slice(0, 16))}`, ...lines, summary(stages)].join('\n')
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

const stageLine = ({ stage, state, reason, changes }: StagePlan): string =>
  `${stateWord(state)} ${stage}  ${style('dim', changes.length > 0 ? 'this changed:' : reason)}`

function changeLines({ changes }: StagePlan): string[] {
  const rows = changes.map(({ place, field, from, to }) => [place ? placeName(place) : '', field, `${from} → ${to}`])
  // a change of code has no place in the configuration: the column is left out where all are such
  const shown = rows.some(([place]) => place !== '') ? rows : rows.map((row) => row.slice(1))
  return shown.length === 0
    ? []
    : table(shown)
        .split('\n')
        .map((line) => `           ${line}`)
}

function summary(stages: readonly StagePlan[]): string {
  const counts = new Map<State, number>()
  for (const { state } of stages) counts.set(state, (counts.get(state) ?? 0) + 1)
  const parts = [...counts].map(([state, count]) => `${count} ${WORDS[state]}`)
  return parts.join(', ') || 'no stages'
}
