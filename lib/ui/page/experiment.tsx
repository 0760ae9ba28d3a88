/// <reference lib="dom" />
import { useState } from 'preact/hooks'
import type { Curves, ExperimentDetails, Outcome, Sample, StageDetails } from '../api.ts'
import { get, useLoaded, withQuery } from './client.ts'
import { CommandBox } from './command-box.tsx'
import { CurveCharts } from './curves.tsx'
import { Dag } from './dag.tsx'
import type { DagNode } from './dag.tsx'
import { brief, duration, shown, when } from './format.ts'
import { Facts, Metrics } from './metrics.tsx'
import { Rerun } from './rerun.tsx'
import { StageView } from './stage-details.tsx'

export const OUTCOMES = {
  ran: 'ran',
  restored: 'restored',
  fresh: 'was there',
  failed: 'failed',
  skipped: 'skipped',
} as const satisfies Record<Outcome, string>

interface ExperimentProps {
  readonly hash: string
  readonly version: number
  readonly chosen: ReadonlySet<string>
  readonly onChoose: (hash: string, isChosen: boolean) => void
}

/** All that is recorded of one experiment. */
export function Experiment({ hash, version, chosen, onChoose }: ExperimentProps) {
  const key = `${hash} ${version}`
  const { value: found, error } = useLoaded(key, () => get<ExperimentDetails>('/api/experiment', { hash }))
  const { value: curves } = useLoaded(key, () => get<Readonly<Record<string, Curves>>>('/api/curves', { hashes: hash }))
  const { value: samples } = useLoaded(key, () => get<readonly Sample[]>('/api/samples', { hash }))
  if (found?.hash !== hash)
    return <p class={error === undefined ? 'quiet' : 'error'}>{error ?? 'Reading the experiment …'}</p>
  return (
    <article>
      <header class="title">
        <h1>
          Experiment <code>{brief(hash)}</code>
        </h1>
        {found.tags.map((tag) => (
          <span class="tag" key={tag}>
            {tag}
          </span>
        ))}
        <label>
          <input
            type="checkbox"
            checked={chosen.has(hash)}
            onChange={({ currentTarget }) => onChoose(hash, currentTarget.checked)}
          />
          compare
        </label>
        {found.hasPage ? (
          <a href={withQuery('/report', { hash })} target="_blank" rel="noreferrer">
            its report
          </a>
        ) : null}
      </header>
      <Facts facts={aboutOf(found)} />
      <section aria-labelledby="metrics">
        <h2 id="metrics">Metrics</h2>
        <Metrics metrics={found.metrics} />
      </section>
      <section aria-labelledby="curves">
        <h2 id="curves">Curves</h2>
        {curves === undefined ? null : <CurveCharts all={[{ name: '', curves: curves[hash] ?? {} }]} />}
      </section>
      <Stages stages={found.stages} />
      {samples === undefined || samples.length === 0 ? null : <Samples samples={samples} />}
      <section aria-labelledby="rerun">
        <h2 id="rerun">Run again</h2>
        <Rerun key={hash} {...found} />
        <p class="quiet">The recorded code, from the same inputs, compared with the record:</p>
        <CommandBox
          label="Command to reproduce the experiment"
          command={`npx pipeline reproduce ${hash.slice(0, 16)}`}
        />
      </section>
    </article>
  )
}

function aboutOf({ hash, at, files, git, machine, engine }: ExperimentDetails): (readonly [string, string])[] {
  const commit = git.commit === null ? 'none' : git.commit.slice(0, 12) + (git.dirty === true ? ', edited' : '')
  const on = ['platform', 'cpu', 'cores', 'node'].flatMap((name) =>
    machine[name] === undefined ? [] : [shown(machine[name])],
  )
  return [
    ['hash', hash],
    ['recorded', when(at)],
    ['files', files.join(', ')],
    ['git commit', commit],
    ['engine', engine],
    ['machine', on.join(', ')],
  ]
}

function Stages({ stages }: { readonly stages: readonly StageDetails[] }) {
  const [open, setOpen] = useState<string>()
  const nodes = stages.map(({ name, reads, outcome, seconds }): DagNode => ({
    ...{ name, reads, told: `${OUTCOMES[outcome]}, ${duration(seconds)}` },
    look: outcome === 'ran' ? 'done' : 'quiet',
  }))
  return (
    <section aria-labelledby="stages">
      <h2 id="stages">Stages</h2>
      <div class="beside">
        <Dag nodes={nodes} label="The stages, each below what it reads" />
        <div class="wide" tabIndex={0} role="region" aria-label="Stages, can be scrolled">
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">Stage</th>
                <th scope="col">Outcome</th>
                <th scope="col" class="number">
                  Took
                </th>
                <th scope="col">On</th>
              </tr>
            </thead>
            <tbody>
              {stages.map((stage) => (
                <StageRow key={stage.name} stage={stage} isOpen={open === stage.name} onOpen={setOpen} />
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </section>
  )
}

interface StageRowProps {
  readonly stage: StageDetails
  readonly isOpen: boolean
  readonly onOpen: (name: string | undefined) => void
}

function StageRow({ stage, isOpen, onOpen }: StageRowProps) {
  const { name, outcome, seconds, device } = stage
  return (
    <>
      <tr>
        <th scope="row">
          <button type="button" class="link" aria-expanded={isOpen} onClick={() => onOpen(isOpen ? undefined : name)}>
            {name}
          </button>
        </th>
        <td>{OUTCOMES[outcome]}</td>
        <td class="number">{duration(seconds)}</td>
        <td>{device ?? '–'}</td>
      </tr>
      {isOpen ? (
        <tr>
          <td colSpan={4}>
            <StageView stage={stage} />
          </td>
        </tr>
      ) : null}
    </>
  )
}

function Samples({ samples }: { readonly samples: readonly Sample[] }) {
  return (
    <section aria-labelledby="samples">
      <h2 id="samples">Continued by each model</h2>
      {samples.map(({ prompt, answers }) => (
        <article key={prompt} class="sample">
          <h3>{prompt.trimEnd()} …</h3>
          <dl>
            {Object.entries(answers).map(([model, text]) => (
              <div key={model}>
                <dt>{model}</dt>
                <dd>{text.trim() || '–'}</dd>
              </div>
            ))}
          </dl>
        </article>
      ))}
    </section>
  )
}
