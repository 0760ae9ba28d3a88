/// <reference lib="dom" />
import { useEffect, useState } from 'preact/hooks'
import type { RunListed } from '../api.ts'
import { Chart } from './chart.tsx'
import type { Line } from './chart.tsx'
import { strokeOf } from './colours.tsx'
import { Dag } from './dag.tsx'
import type { DagNode } from './dag.tsx'
import { OUTCOMES } from './experiment.tsx'
import { brief, duration, grouped } from './format.ts'
import { Log } from './log.tsx'
import { linkTo } from './route.ts'
import type { RunState, StageNow } from './run-state.ts'

const WORDS = { ...OUTCOMES, waiting: 'to come', running: 'running' } as const satisfies Record<
  StageNow['state'],
  string
>
const LOOKS = {
  waiting: 'quiet',
  running: 'busy',
  ran: 'done',
  restored: 'quiet',
  fresh: 'quiet',
  failed: 'bad',
  skipped: 'quiet',
} as const satisfies Record<StageNow['state'], DagNode['look']>

/** A run: who is at work, how far, its curves as they come, and the log of a stage. */
export function RunView({ run, state }: { readonly run: RunListed; readonly state: RunState }) {
  const stages = [...state.stages.values()]
  const now = useClock(run.living)
  const [chosen, setChosen] = useState<string>()
  const busy = stages.findLast((stage) => stage.state === 'running') ?? stages.find((stage) => stage.state === 'failed')
  const opened = chosen ?? busy?.name ?? stages.findLast((stage) => stage.state === 'ran')?.name
  const nodes = stages.map((stage): DagNode => ({
    ...{ name: stage.name, reads: state.reads[stage.name] ?? [], look: LOOKS[stage.state], told: told(stage, now) },
  }))
  const lines = stages
    .filter(({ losses }) => losses.length > 1)
    .map(({ name, losses }, i): Line => ({
      ...{ name, ...strokeOf(i), steps: losses.map(([done]) => done), values: losses.map(([, loss]) => loss) },
    }))
  return (
    <>
      <Ending state={state} />
      <div class="beside">
        <Dag nodes={nodes} label="The stages, each below what it reads" />
        <Stages stages={stages} now={now} opened={opened} onOpen={setChosen} />
      </div>
      {lines.length === 0 ? null : (
        <section aria-labelledby="run-curves">
          <h2 id="run-curves">Curves</h2>
          <Chart title="Loss" along="step" lines={lines} />
        </section>
      )}
      {opened === undefined ? null : (
        <section aria-labelledby="run-log">
          <h2 id="run-log">
            Log of <code>{opened}</code>
          </h2>
          <Log
            key={opened}
            stage={opened}
            of={{ run: run.id }}
            isLive={state.stages.get(opened)?.state === 'running'}
          />
        </section>
      )}
    </>
  )
}

function Ending({ state }: { readonly state: RunState }) {
  return (
    <>
      {state.finished === 'complete' && state.experiment !== undefined ? (
        <p>
          Recorded as experiment{' '}
          <a href={linkTo('/experiment', { hash: state.experiment })}>{brief(state.experiment)}</a>.
        </p>
      ) : null}
      {state.failures.map(({ stage, message, code }, i) => (
        <p key={i} class="error">
          {stage === null || message.includes(`"${stage}"`) ? '' : `Stage "${stage}": `}
          {message} [{code}]
        </p>
      ))}
      {state.notices.map((message) => (
        <p key={message} class="note">
          {message}
        </p>
      ))}
    </>
  )
}

interface StagesProps {
  readonly stages: readonly StageNow[]
  readonly now: number
  readonly opened: string | undefined
  readonly onOpen: (name: string) => void
}

function Stages({ stages, now, opened, onOpen }: StagesProps) {
  return (
    <div class="wide" tabIndex={0} role="region" aria-label="Stages, can be scrolled">
      <table class="plain reasons" role="table">
        <thead>
          <tr role="row">
            <th scope="col">Stage</th>
            <th scope="col">State</th>
            <th scope="col" class="number">
              Time
            </th>
            <th scope="col">Why, and how far</th>
          </tr>
        </thead>
        <tbody>
          {stages.map((stage) => (
            <StageRow key={stage.name} {...{ stage, now, onOpen }} isOpen={opened === stage.name} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

interface StageRowProps extends Pick<StagesProps, 'now' | 'onOpen'> {
  readonly stage: StageNow
  readonly isOpen: boolean
}

function StageRow({ stage, now, isOpen, onOpen }: StageRowProps) {
  return (
    <tr role="row">
      <th scope="row">
        <button type="button" class="link" aria-pressed={isOpen} onClick={() => onOpen(stage.name)}>
          {stage.name}
        </button>
      </th>
      <td role="cell">
        <span class={`state ${LOOKS[stage.state]}`}>{WORDS[stage.state]}</span>
      </td>
      <td role="cell" class="number">
        {timeOf(stage, now)}
      </td>
      <td role="cell">
        {stage.reason}
        <HowFar {...stage} />
      </td>
    </tr>
  )
}

function HowFar({ name, progress, state }: StageNow) {
  if (progress === undefined || state !== 'running') return null
  const { done, total, unit } = progress
  return (
    <span class="far">
      <progress max={total || 1} value={done} aria-label={`Progress of ${name}`} />
      {grouped(done)} of {grouped(total)} {unit}
    </span>
  )
}

function timeOf({ state, seconds, since }: StageNow, now: number): string {
  if (state === 'running' && since !== undefined) return duration(Math.max(0, Math.round((now - since) / 1000)))
  return seconds === undefined || state === 'skipped' ? '' : duration(seconds)
}

function told(stage: StageNow, now: number): string {
  const time = timeOf(stage, now)
  const { progress, state } = stage
  if (state === 'running' && progress !== undefined && progress.total > 0)
    return `${Math.floor((100 * progress.done) / progress.total)} %, ${time}`
  return time === '' ? WORDS[state] : `${WORDS[state]}, ${time}`
}

function useClock(isOn: boolean): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    if (!isOn) return undefined
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [isOn])
  return now
}
