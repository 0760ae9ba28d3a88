/// <reference lib="dom" />
import { useState } from 'preact/hooks'
import type { Curves, DifferenceRow, Differences, Json, Section, TableAnswer } from '../api.ts'
import { get, useLoaded } from './client.ts'
import { Swatch, strokeOf } from './colours.tsx'
import { CurveCharts } from './curves.tsx'
import { brief, shown } from './format.ts'
import { linkTo } from './route.ts'

const VALUES: readonly (readonly [Section, string])[] = [
  ['parameters', 'Parameters'],
  ['metrics', 'Metrics'],
]
const OTHERS: readonly (readonly [Section, string])[] = [
  ['code', 'Code'],
  ['inputs', 'Inputs'],
  ['stages', 'Stages'],
  ['packages', 'Packages'],
  ['environment', 'Environment'],
]

/** Two experiments or more beside each other: what differs, and their curves over each other. */
export function Compare({ hashes, version }: { readonly hashes: readonly string[]; readonly version: number }) {
  const key = `${hashes.join()} ${version}`
  const { value: found, error } = useLoaded(key, () =>
    get<Differences>('/api/differences', { hashes: hashes.join(',') }),
  )
  const { value: curves } = useLoaded(key, () =>
    get<Readonly<Record<string, Curves>>>('/api/curves', { hashes: hashes.join(',') }),
  )
  const all = hashes.map((hash) => ({ name: brief(hash), curves: curves?.[hash] ?? {} }))
  return (
    <article>
      <header class="title">
        <h1>{hashes.length} experiments compared</h1>
      </header>
      <ul class="compared">
        {hashes.map((hash, i) => (
          <li key={hash}>
            <Swatch {...strokeOf(i)} />
            <a href={linkTo('/experiment', { hash })}>{brief(hash)}</a>
            {hashes.length > 2 ? (
              <a href={linkTo('/compare', { hashes: hashes.filter((one) => one !== hash).join(',') })}>
                leave out <span class="hidden">{brief(hash)}</span>
              </a>
            ) : null}
          </li>
        ))}
      </ul>
      {error === undefined ? null : <p class="error">{error}</p>}
      {found === undefined ? null : <Values {...{ hashes, found, version }} />}
      <section aria-labelledby="curves">
        <h2 id="curves">Curves</h2>
        {curves === undefined ? null : <CurveCharts all={all} />}
      </section>
      {found === undefined ? null : <Others hashes={hashes} found={found} />}
    </article>
  )
}

interface SectionsProps {
  readonly hashes: readonly string[]
  readonly found: Differences
  readonly version: number
}

/** Parameters and metrics: what differs, or all. */
function Values({ hashes, found, version }: SectionsProps) {
  const [isWhole, setWhole] = useState(false)
  return (
    <>
      <label class="toggle">
        <input type="checkbox" checked={isWhole} onChange={({ currentTarget }) => setWhole(currentTarget.checked)} />
        also the parameters and metrics that they share
      </label>
      {Object.values(found).every((rows) => rows.length === 0) ? (
        <p class="quiet">Nothing that their records hold differs.</p>
      ) : null}
      {isWhole ? <Whole hashes={hashes} version={version} /> : <Sides of={VALUES} {...{ hashes, found }} />}
    </>
  )
}

const Others = ({ hashes, found }: Omit<SectionsProps, 'version'>) => <Sides of={OTHERS} {...{ hashes, found }} />

interface SidesProps extends Omit<SectionsProps, 'version'> {
  readonly of: readonly (readonly [Section, string])[]
}

function Sides({ of, hashes, found }: SidesProps) {
  const differing = of.filter(([name]) => found[name].length > 0)
  return (
    <>
      {differing.map(([name, title]) => (
        <Side key={name} id={name} title={title} hashes={hashes} rows={found[name]} />
      ))}
    </>
  )
}

/** Every parameter and metric, as the table of all experiments has them. */
function Whole({ hashes, version }: Pick<SectionsProps, 'hashes' | 'version'>) {
  const { value: rows } = useLoaded(`${hashes.join()} ${version}`, () => wholeOf(hashes))
  if (rows === undefined) return <p class="quiet">Reading …</p>
  return (
    <>
      <Side id="parameters" title="Parameters" hashes={hashes} rows={rows.parameter} />
      <Side id="metrics" title="Metrics" hashes={hashes} rows={rows.metric} />
    </>
  )
}

async function wholeOf(hashes: readonly string[]): Promise<Record<'parameter' | 'metric', DifferenceRow[]>> {
  const { fields } = await get<TableAnswer>('/api/experiments', { columns: '' })
  const columns = fields.map(({ name }) => name).join(',')
  const table = await get<TableAnswer>('/api/experiments', { columns, hashes: hashes.join(',') })
  const order = hashes.map((hash) => table.hashes.indexOf(hash))
  const rowsOf = (kind: 'parameter' | 'metric'): DifferenceRow[] =>
    fields.flatMap((field) => {
      const column = table.values[table.columns.indexOf(field.name)]
      const values = order.map((row): Json => column?.[row] ?? null)
      return field.kind !== kind || values.every((value) => value === null) ? [] : [{ name: field.label, values }]
    })
  return { parameter: rowsOf('parameter'), metric: rowsOf('metric') }
}

interface SideProps {
  readonly id: string
  readonly title: string
  readonly hashes: readonly string[]
  readonly rows: readonly DifferenceRow[]
}

function Side({ id, title, hashes, rows }: SideProps) {
  return (
    <section aria-labelledby={`side-${id}`}>
      <h2 id={`side-${id}`}>{title}</h2>
      <div class="wide" tabIndex={0} role="region" aria-label={`${title}, can be scrolled`}>
        <table class="plain side">
          <thead>
            <tr>
              <td />
              {hashes.map((hash, i) => (
                <th key={hash} scope="col">
                  <Swatch {...strokeOf(i)} />
                  {brief(hash)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, values }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {values.map((value, i) => (
                  <td key={hashes[i]} title={shown(value)} class={differs(value, values[0]) ? 'differs' : undefined}>
                    {cell(value)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

const differs = (value: Json | null, first: Json | null | undefined): boolean =>
  JSON.stringify(value) !== JSON.stringify(first)

/** Of a list as long as this nobody reads more in a table. */
const LONGEST = 100

/** Digests and the versions of packages are read by their beginnings. */
function cell(value: Json | null): string {
  if (typeof value !== 'string') return cut(shown(value)) || '–'
  if (/^[0-9a-f]{40,64}$/.test(value)) return value.slice(0, 12)
  return cut(value.replace(/ sha\d+-\S+$/, ''))
}

const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text)
