import { duration } from './format.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'

/** What belongs to a run and not to its result: joined to the page when the run has ended. */
export interface RunPart {
  /** 64 hex digits. */
  readonly experiment: string
  readonly stages: readonly RunStage[]
  /** null outside a git repository. */
  readonly commit: string | null
  /** Whether tracked files differed from the commit. */
  readonly dirty: boolean
  /** In words: `Linux x64, 2 × Intel Xeon, 8 GiB, Node 20.20.2`. */
  readonly machine: string
  /** `npx pipeline reproduce <hash>` */
  readonly reproduce: string
  /** When it began, ISO 8601; null to leave it out. */
  readonly started: string | null
}

export interface RunStage {
  readonly name: string
  readonly outcome: 'ran' | 'restored' | 'fresh' | 'failed' | 'skipped'
  /** What the stage took when its result was made: for a cached result, then. */
  readonly seconds: number | null
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
    <pre class="command"><code>${run.reproduce}</code></pre>
    <dl>
      ${facts(run).map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
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
        ${run.stages.map(stageLine)}
      </tbody>
    </table>
    <p class="small quiet" style="margin-top: 1rem">
      For a result that was already there the time and the device are those of the run that made it.
    </p>
  </section>`

const facts = ({ experiment, commit, dirty, machine, started }: RunPart): readonly (readonly [string, Html])[] => [
  ['Experiment', html`<code>${experiment}</code>`],
  ['Git commit', commit === null ? html`none` : html`<code>${commit}</code>${dirty ? ' with changes on top' : ''}`],
  ['Machine', html`${machine}`],
  ...(started === null ? [] : [['Began', html`${started}`] as const]),
]

const OUTCOMES = {
  ran: 'ran',
  restored: 'restored from the store',
  fresh: 'already there',
  failed: 'failed',
  skipped: 'skipped',
} as const satisfies Record<RunStage['outcome'], string>

const stageLine = ({ name, outcome, seconds, device }: RunStage): Html =>
  html`<tr role="row">
    <th scope="row">${name}</th>
    <td data-label="Outcome">${OUTCOMES[outcome]}</td>
    <td data-label="Took">${seconds === null ? '–' : duration(seconds)}</td>
    <td data-label="On">${device ?? '–'}</td>
  </tr>`
