import type { JsonObject } from '../util/json.ts'
import { dag } from './dag.ts'
import type { DagStage } from './dag.ts'
import { duration } from './format.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'

/**
 * What belongs to a run and not to its result: joined to the page when the run has ended. The record of an experiment is
 * one, so that it can be given as it is.
 */
export interface RunPart {
  /** The experiment's: 64 hex digits. */
  readonly hash: string
  /** When the run was recorded, ISO 8601. */
  readonly at: string
  /** In the order of the run. */
  readonly stages: Readonly<Record<string, RunStage>>
  /** Nulls outside a git repository; `dirty` where tracked files differed from the commit. */
  readonly git: { readonly commit: string | null; readonly dirty: boolean | null }
  /** `platform`, `arch`, `cpu`, `cores`, `memory` (bytes), `node`, as far as they are known. */
  readonly machine: JsonObject
}

export interface RunStage extends DagStage {
  /** `onnx-cpu, 2 threads`; null for a stage that used none. */
  readonly device: string | null
}

// the mark of page.ts, repeated here so that the command line need not load the charts
const RUN_MARK = '<!-- pipeline:run -->'

/** Puts the run's part where the page has the mark for it, else before the end of its body, else at its end. */
export const joinReport = (page: string, run: RunPart): string => {
  const part = runSection(run).markup
  for (const mark of [RUN_MARK, '</body>']) {
    const at = page.lastIndexOf(mark)
    if (at >= 0) return page.slice(0, at) + part + page.slice(mark === RUN_MARK ? at + mark.length : at)
  }
  return page + part
}

const runSection = (run: RunPart): Html =>
  html`<section aria-labelledby="run">
    <h2 id="run">This run</h2>
    <p class="quiet">The same inputs, parameters and code give this page again:</p>
    <pre class="command"><code>npx pipeline reproduce ${run.hash.slice(0, 16)}</code></pre>
    <dl>
      ${facts(run).map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
    ${dag(run.stages)}
    <table role="table" style="margin-top: 2.5rem">
      <thead>
        <tr>
          <th scope="col">Stage</th>
          <th scope="col">Outcome</th>
          <th scope="col">Took</th>
          <th scope="col">On</th>
        </tr>
      </thead>
      <tbody>
        ${Object.entries(run.stages).map(([name, stage]) => stageLine(name, stage))}
      </tbody>
    </table>
    <p class="small quiet" style="margin-top: 1rem">
      For a result that was already there the time and the device are those of the run that made it.
    </p>
  </section>`

const facts = ({ hash, git, machine, at }: RunPart): readonly (readonly [string, Html])[] => [
  ['Experiment', html`<code>${hash}</code>`],
  [
    'Git commit',
    git.commit === null
      ? html`none`
      : html`<code>${git.commit}</code>${git.dirty === true ? ' with changes on top' : ''}`,
  ],
  ['Machine', html`${machineWords(machine)}`],
  ['Recorded', html`${at}`],
]

/** `linux x64, Intel Xeon, 2 cores, 7.8 GiB, Node v20.20.2` */
const machineWords = ({ platform, arch, cpu, cores, memory, node }: JsonObject): string =>
  [
    [platform, arch].filter((word) => typeof word === 'string').join(' '),
    typeof cpu === 'string' ? cpu.trim() : '',
    typeof cores === 'number' ? `${cores}\u00a0cores` : '',
    typeof memory === 'number' ? `${(memory / 2 ** 30).toFixed(1)}\u00a0GiB` : '',
    typeof node === 'string' ? `Node ${node}` : '',
  ]
    .filter((words) => words !== '')
    .join(', ')

const OUTCOMES = {
  ran: 'ran',
  restored: 'restored from the store',
  fresh: 'already there',
  failed: 'failed',
  skipped: 'skipped',
} as const satisfies Record<RunStage['outcome'], string>

const stageLine = (name: string, { outcome, seconds, device }: RunStage): Html =>
  html`<tr role="row">
    <th scope="row">${name}</th>
    <td data-label="Outcome">${OUTCOMES[outcome]}</td>
    <td data-label="Took">${duration(seconds)}</td>
    <td data-label="On">${device ?? '–'}</td>
  </tr>`
