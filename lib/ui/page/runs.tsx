/// <reference lib="dom" />
import { useEffect, useState } from 'preact/hooks'
import type { JournalLine, Live, RunListed } from '../api.ts'
import { announce } from './announce.tsx'
import { brief } from './format.ts'
import { linkTo } from './route.ts'
import { RunView } from './run-view.tsx'
import { NO_RUN, follow } from './run-state.ts'
import type { RunState } from './run-state.ts'

/** The run that goes on, or the last one; earlier ones to choose. */
export function Runs({ live, id }: { readonly live: Live | undefined; readonly id: string }) {
  const runs = live?.runs ?? []
  const shownRun = runs.find((run) => run.id === id) ?? runs[0]
  if (live === undefined) return <p class="quiet">Reading the runs …</p>
  return (
    <article class="runs">
      <header class="title">
        <h1>{shownRun?.living === true ? 'Running' : 'Runs'}</h1>
      </header>
      {shownRun === undefined ? (
        <p class="quiet">
          Nothing has run here yet since runs are followed. <code>npx pipeline run</code> shows up here as soon as a
          stage starts.
        </p>
      ) : (
        <>
          <nav aria-label="Runs" class="run-list">
            <ul>
              {runs.map((run) => (
                <li key={run.id}>
                  <a href={linkTo('/runs', { run: run.id })} aria-current={run.id === shownRun.id ? 'true' : undefined}>
                    {run.at.slice(0, 19).replace('T', ' ')} <span class={`state ${lookOf(run)}`}>{wordOf(run)}</span>
                  </a>
                </li>
              ))}
            </ul>
          </nav>
          <Followed key={shownRun.id} run={shownRun} />
        </>
      )}
    </article>
  )
}

const wordOf = ({ living, outcome }: RunListed): string => (living ? 'running' : (outcome ?? 'cut short'))

const lookOf = ({ living, outcome }: RunListed): string => (living ? 'busy' : outcome === 'finished' ? 'quiet' : 'bad')

function Followed({ run }: { readonly run: RunListed }) {
  const [state, setState] = useState<RunState>(NO_RUN)
  useEffect(() => {
    const source = new EventSource(`/api/run?run=${run.id}`)
    source.onopen = () => setState(NO_RUN) // after a loss of the connection all is told again
    source.onmessage = ({ data }: MessageEvent<string>) => {
      const lines = JSON.parse(data) as JournalLine[]
      setState((before) => follow(before, lines))
      if (run.living) for (const line of lines) say(line)
      if (lines.some(({ type }) => type === 'finished')) source.close()
    }
    return () => source.close()
  }, [])
  return <RunView run={run} state={state} />
}

/** What is worth hearing of a run that goes on. */
function say(line: JournalLine): void {
  if (line.type === 'stage-started') announce(`Stage ${line.stage} started.`)
  if (line.type === 'stage-finished' && line.outcome !== 'fresh') announce(`Stage ${line.name} ${line.outcome}.`)
  if (line.type === 'finished')
    announce(
      line.experiment === null ? 'The run is incomplete.' : `The run finished: experiment ${brief(line.experiment)}.`,
    )
}
