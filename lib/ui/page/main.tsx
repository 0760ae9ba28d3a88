/// <reference lib="dom" />
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Live } from '../api.ts'
import { Announcer } from './announce.tsx'
import { useLive } from './client.ts'
import { Compare } from './compare.tsx'
import { Experiment } from './experiment.tsx'
import { List } from './list.tsx'
import { Plan } from './plan.tsx'
import { linkTo, useRoute } from './route.ts'
import type { Route } from './route.ts'
import { Runs } from './runs.tsx'

const PAGES = [
  ['/', 'Experiments'],
  ['/plan', 'Plan'],
  ['/runs', 'Runs'],
] as const

function App() {
  const route = useRoute()
  const { live, lost } = useLive()
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const choose = (hash: string, isChosen: boolean): void =>
    setChosen((before) => new Set(isChosen ? [...before, hash] : [...before].filter((one) => one !== hash)))
  useEffect(() => {
    document.title = `${titleOf(route)} · pipeline`
    // a new page begins at its beginning, for the keyboard too
    document.getElementById('main')?.focus()
    scrollTo(0, 0)
  }, [route.path, route.query.get('hash')])
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header class="top">
        <nav aria-label="Pages">
          <ul>
            {PAGES.map(([path, name]) => (
              <li key={path}>
                <a href={linkTo(path)} aria-current={isWithin(route.path, path) ? 'page' : undefined}>
                  {name}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <Running live={live} lost={lost} />
      </header>
      <main id="main" tabIndex={-1}>
        <Page {...{ route, live, chosen }} onChoose={choose} />
      </main>
      <Announcer />
    </>
  )
}

function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}

const isWithin = (path: string, page: string): boolean =>
  path === page || (page === '/' && ['/experiment', '/compare'].includes(path))

function titleOf({ path, query }: Route): string {
  if (path === '/experiment') return (query.get('hash') ?? '').slice(0, 12)
  if (path === '/compare') return 'Compare'
  return PAGES.find(([page]) => page === path)?.[1] ?? 'Experiments'
}

function Running({ live, lost }: { readonly live: Live | undefined; readonly lost: boolean }) {
  const running = live?.runs.filter(({ living }) => living) ?? []
  if (lost)
    return (
      <p class="note" role="status">
        pipeline ui does not answer; start it again.
      </p>
    )
  if (running.length === 0) return null
  return (
    <a class="running" href={linkTo('/runs', { run: running[0]!.id })}>
      {running.length === 1 ? 'a run goes on' : `${running.length} runs go on`}
    </a>
  )
}

interface PageProps {
  readonly route: Route
  readonly live: Live | undefined
  readonly chosen: ReadonlySet<string>
  readonly onChoose: (hash: string, isChosen: boolean) => void
}

function Page({ route: { path, query }, live, chosen, onChoose }: PageProps) {
  const version = live?.version ?? 0
  switch (path) {
    case '/experiment':
      return <Experiment hash={query.get('hash') ?? ''} {...{ version, chosen, onChoose }} />
    case '/compare':
      return <Compare hashes={(query.get('hashes') ?? '').split(',').filter(Boolean)} version={version} />
    case '/plan':
      return <Plan version={version} />
    case '/runs':
      return <Runs live={live} id={query.get('run') ?? ''} />
    default:
      return <List {...{ query, version, chosen, onChoose }} />
  }
}

// the token has done its part: the cookie opens the page from now on, and the address can be shown to others
if (location.search !== '') history.replaceState(null, '', `/${location.hash}`)
render(<App />, document.getElementById('app')!)
