/// <reference lib="dom" />
import { useEffect, useState } from 'preact/hooks'
import type { Reading, TableAnswer } from '../api.ts'
import { announce } from './announce.tsx'
import { get, useLoaded } from './client.ts'
import { Columns } from './columns.tsx'
import { Filters } from './filters.tsx'
import type { Filter } from './filters.tsx'
import { grouped } from './format.ts'
import { Grid } from './grid.tsx'
import { linkTo, replaceRoute } from './route.ts'

interface ListProps {
  readonly query: URLSearchParams
  readonly version: number
  readonly chosen: ReadonlySet<string>
  readonly onChoose: (hash: string, isChosen: boolean) => void
}

/** More would be no comparison. */
const MOST_COMPARED = 12
const COLUMNS = 'pipeline-columns'

/** All experiments: filtered, sorted, in columns to choose. */
export function List({ query, version, chosen, onChoose }: ListProps) {
  const filter: Filter = { where: query.getAll('where'), text: query.get('text') ?? '' }
  const sort = query.get('sort') ?? ''
  const [columns, setColumns] = useState(savedColumns)
  const [progress, setProgress] = useState<Reading['reading']>()
  const asked = { ...filter, sort, ...(columns ? { columns: columns.join(',') } : {}) }
  const { value: table, error } = useLoaded(JSON.stringify([asked, version]), () => tableOf(asked, setProgress))
  const go = (next: Filter, order: string): void =>
    replaceRoute(
      linkTo('/', {
        where: next.where,
        ...(next.text === '' ? {} : { text: next.text }),
        ...(order === '' ? {} : { sort: order }),
      }),
    )
  const choose = (next: readonly string[] | undefined): void => {
    saveColumns(next)
    setColumns(next)
  }
  const count = table === undefined ? '' : countWords(table, filter)
  useEffect(() => {
    if (count !== '') announce(count)
  }, [count])
  if (table === undefined)
    return (
      <p class="quiet">
        {error ??
          (progress
            ? `Reading ${grouped(progress.done)} of ${grouped(progress.total)} experiments …`
            : 'Reading the experiments …')}
      </p>
    )
  return (
    <section class="list" aria-labelledby="list-title">
      <h1 id="list-title" class="hidden">
        Experiments
      </h1>
      <div class="toolbar">
        <Filters filter={filter} fields={table.fields} error={error} onChange={(next) => go(next, sort)} />
        <p class="count">{count}</p>
        <Columns fields={table.fields} columns={columns ?? table.columns} onChange={choose} />
        <CompareLink chosen={[...chosen]} onClear={() => [...chosen].forEach((hash) => onChoose(hash, false))} />
      </div>
      {table.total === 0 ? (
        <p class="quiet">
          No experiment is recorded here yet. <code>npx pipeline run</code> makes one.
        </p>
      ) : (
        <Grid {...{ table, sort, chosen, onChoose }} onSort={(order) => go(filter, order)} />
      )}
    </section>
  )
}

const compareWords = (count: number): string =>
  count > MOST_COMPARED ? `Compare the first ${MOST_COMPARED}` : `Compare ${count}`

function CompareLink({ chosen, onClear }: { readonly chosen: readonly string[]; readonly onClear: () => void }) {
  if (chosen.length === 0) return <p class="quiet hint">Tick two or more to compare them.</p>
  const words = chosen.length === 1 ? 'Tick another to compare' : compareWords(chosen.length)
  return (
    <span class="comparing">
      {chosen.length === 1 ? (
        <span class="quiet">{words}</span>
      ) : (
        <a class="button main" href={linkTo('/compare', { hashes: chosen.slice(0, MOST_COMPARED).join(',') })}>
          {words}
        </a>
      )}
      <button type="button" onClick={onClear}>
        Clear
      </button>
    </span>
  )
}

function countWords({ total, hashes }: TableAnswer, { where, text }: Filter): string {
  const all = `${grouped(total)} ${total === 1 ? 'experiment' : 'experiments'}`
  return where.length === 0 && text === '' ? all : `${grouped(hashes.length)} of ${all}`
}

const POLL_MS = 400

/** Asks again while the server reads the records for the first time. */
async function tableOf(
  asked: Readonly<Record<string, string | readonly string[]>>,
  tell: (progress: Reading['reading']) => void,
): Promise<TableAnswer> {
  for (;;) {
    const answer = await get<TableAnswer | Reading>('/api/experiments', asked)
    if (!('reading' in answer)) return answer
    tell(answer.reading)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** What a browser does not keep, or kept in another form, is as if it had not been chosen. */
function savedColumns(): readonly string[] | undefined {
  try {
    const saved: unknown = JSON.parse(localStorage.getItem(COLUMNS) ?? 'null')
    return Array.isArray(saved) && saved.every((name) => typeof name === 'string') ? saved : undefined
  } catch {
    return undefined
  }
}

function saveColumns(columns: readonly string[] | undefined): void {
  try {
    if (columns === undefined) localStorage.removeItem(COLUMNS)
    else localStorage.setItem(COLUMNS, JSON.stringify(columns))
  } catch {
    // chosen for now, and not kept
  }
}
