import { useState } from 'preact/hooks'
import type { PlanAnswer, PlannedStage, State } from '../api.ts'
import { get, useLoaded } from './client.ts'
import { CommandBox } from './command-box.tsx'
import { Dag } from './dag.tsx'
import type { DagNode } from './dag.tsx'
import { brief, duration } from './format.ts'

const WORDS = { fresh: 'fresh', restore: 'restore', run: 'run', 'may-run': 'may run' } as const satisfies Record<
  State,
  string
>
const LOOKS = { fresh: 'quiet', restore: 'quiet', run: 'done', 'may-run': 'busy' } as const satisfies Record<
  State,
  DagNode['look']
>

/** More of what changed is folded. */
const MOST_CHANGES = 3

/** What `pipeline status` tells: how each stage stands, why, and how long it would take. */
export function Plan({ version }: { readonly version: number }) {
  const [asked, setAsked] = useState(0)
  const { value: plan, error } = useLoaded(`${version} ${asked}`, () => get<PlanAnswer>('/api/plan'))
  return (
    <article>
      <header class="title">
        <h1>What would run now</h1>
        <button type="button" onClick={() => setAsked(asked + 1)}>
          Look again
        </button>
      </header>
      {error === undefined ? null : <pre class="error">{error}</pre>}
      {plan === undefined ? (
        error === undefined ? (
          <p class="quiet">Hashing what the stages read …</p>
        ) : null
      ) : (
        <Planned plan={plan} />
      )}
    </article>
  )
}

function Planned({ plan }: { readonly plan: PlanAnswer }) {
  const nodes = plan.stages.map(({ name, reads, state, seconds }): DagNode => ({
    ...{ name, reads, look: LOOKS[state] },
    told: seconds === null ? WORDS[state] : `${WORDS[state]}, ${duration(seconds)}`,
  }))
  return (
    <>
      <p>
        Of experiment <code>{brief(plan.experiment)}</code>, {countWords(plan.stages)}.
      </p>
      {plan.notices.map(({ message }) => (
        <p key={message} class="note">
          {message}
        </p>
      ))}
      <CommandBox label="Command to run it" command={plan.command} />
      <div class="beside">
        <Dag nodes={nodes} label="The stages, each below what it reads" />
        <div class="wide" tabIndex={0} role="region" aria-label="Stages, can be scrolled">
          <table class="plain reasons" role="table">
            <thead>
              <tr role="row">
                <th scope="col">Stage</th>
                <th scope="col">State</th>
                <th scope="col" class="number">
                  About
                </th>
                <th scope="col">Why</th>
              </tr>
            </thead>
            <tbody>
              {plan.stages.map((stage) => (
                <PlanRow key={stage.name} {...stage} />
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </>
  )
}

function PlanRow({ name, state, reason, changes, seconds }: PlannedStage) {
  const folded = changes.slice(MOST_CHANGES)
  return (
    <tr role="row">
      <th scope="row">{name}</th>
      <td role="cell">
        <span class={`state ${LOOKS[state]}`}>{WORDS[state]}</span>
      </td>
      <td role="cell" class="number">
        {seconds === null ? '–' : duration(seconds)}
      </td>
      <td role="cell">
        {changes.length === 0 ? reason : <Changes changes={changes.slice(0, MOST_CHANGES)} />}
        {folded.length === 0 ? null : (
          <details>
            <summary>and {folded.length} more</summary>
            <Changes changes={folded} />
          </details>
        )}
      </td>
    </tr>
  )
}

function Changes({ changes }: Pick<PlannedStage, 'changes'>) {
  return (
    <>
      {changes.map(({ place, field, from, to }) => (
        <span key={field} class="change">
          {place === null ? null : <code>{place}</code>} {field} <b>{from}</b> → <b>{to}</b>
        </span>
      ))}
    </>
  )
}

function countWords(stages: readonly PlannedStage[]): string {
  const counts = new Map<State, number>()
  for (const { state } of stages) counts.set(state, (counts.get(state) ?? 0) + 1)
  return [...counts].map(([state, count]) => `${count} ${WORDS[state]}`).join(', ')
}
