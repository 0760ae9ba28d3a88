/// <reference lib="dom" />
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Field, TableAnswer } from '../api.ts'
import { get } from './client.ts'
import { brief, shown, when } from './format.ts'
import { linkTo } from './route.ts'
import { Sparkline } from './sparkline.tsx'

/** Height of a row in pixels, which the style repeats: what is not in sight is known without being drawn. */
const ROW = 36
/** Rows beyond the edges, so that the keyboard reaches the next one. */
const BEYOND = 6

interface GridProps {
  readonly table: TableAnswer
  readonly sort: string
  readonly onSort: (sort: string) => void
  readonly chosen: ReadonlySet<string>
  readonly onChoose: (hash: string, isChosen: boolean) => void
}

/** The experiments: of ten thousand those are in the page that are in sight. */
export function Grid({ table, sort, onSort, chosen, onChoose }: GridProps) {
  const box = useRef<HTMLDivElement>(null)
  const [first, last] = useWindow(box, table.hashes.length)
  const rows = table.hashes.slice(first, last).map((_, i) => first + i)
  const sparks = useSparks(rows.map((row) => table.hashes[row]!))
  const columns = table.columns.map((name) => table.fields.find((field) => field.name === name)!)
  const count = columns.length + 4
  return (
    <div class="grid" ref={box} tabIndex={0} role="region" aria-label="Experiments, can be scrolled">
      <table aria-rowcount={table.hashes.length + 1} aria-colcount={count}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col" class="first">
              <span class="pick">Experiment</span>
            </th>
            <Head name="at" label="When" {...{ sort, onSort }} />
            <th scope="col">Tags</th>
            <th scope="col">Curve</th>
            {columns.map((field) => (
              <Head
                key={field.name}
                name={field.name}
                label={field.label}
                isNumber={isNumeric(table, field)}
                {...{ sort, onSort }}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          <Space rows={first} columns={count} />
          {rows.map((row) => (
            <Row
              key={table.hashes[row]}
              {...{ table, row, columns, chosen, onChoose }}
              spark={sparks.get(table.hashes[row]!)}
            />
          ))}
          <Space rows={table.hashes.length - last} columns={count} />
        </tbody>
      </table>
    </div>
  )
}

/** Takes the height of rows that are not drawn. */
function Space({ rows, columns }: { readonly rows: number; readonly columns: number }) {
  if (rows <= 0) return null
  return (
    <tr aria-hidden="true" class="space">
      <td colSpan={columns} style={{ height: `${rows * ROW}px` }} />
    </tr>
  )
}

interface HeadProps extends Pick<GridProps, 'sort' | 'onSort'> {
  readonly name: string
  readonly label: string
  readonly isNumber?: boolean
}

const ORDERS = { ascending: ' ↑', descending: ' ↓', none: '' } as const

function Head({ name, label, sort, onSort, isNumber = false }: HeadProps) {
  const order = sort === name ? 'ascending' : sort === `-${name}` ? 'descending' : 'none'
  const next = { none: name, ascending: `-${name}`, descending: '' }[order]
  return (
    <th scope="col" aria-sort={order} class={isNumber ? 'number' : undefined}>
      <button type="button" title={label} onClick={() => onSort(next)}>
        {label}
        <span aria-hidden="true">{ORDERS[order]}</span>
      </button>
    </th>
  )
}

interface RowProps extends Pick<GridProps, 'table' | 'chosen' | 'onChoose'> {
  readonly row: number
  readonly columns: readonly Field[]
  readonly spark: readonly number[] | undefined
}

function Row({ table, row, columns, chosen, onChoose, spark }: RowProps) {
  const hash = table.hashes[row]!
  const isChosen = chosen.has(hash)
  return (
    <tr aria-rowindex={row + 2} class={isChosen ? 'chosen' : undefined}>
      <th scope="row" class="first">
        <span class="pick">
          <input
            type="checkbox"
            checked={isChosen}
            aria-label={`Compare ${brief(hash)}`}
            onChange={({ currentTarget }) => onChoose(hash, currentTarget.checked)}
          />
          <a href={linkTo('/experiment', { hash })}>{brief(hash)}</a>
        </span>
      </th>
      <td>{when(table.at[row]!)}</td>
      <td>
        {table.tags[row]!.map((tag) => (
          <span class="tag">{tag}</span>
        ))}
        {table.pinned[row] ? <span class="tag">pinned</span> : null}
      </td>
      <td>
        <Sparkline values={spark} />
      </td>
      {columns.map(({ name }, i) => {
        const value = table.values[i]![row]
        return (
          <td
            key={name}
            class={typeof value === 'number' ? 'number' : undefined}
            title={typeof value === 'number' ? String(value) : shown(value)}
          >
            {shown(value)}
          </td>
        )
      })}
    </tr>
  )
}

function isNumeric(table: TableAnswer, { name }: Field): boolean {
  const values = table.values[table.columns.indexOf(name)] ?? []
  const value = values.find((one) => one !== null)
  return typeof value === 'number'
}

/** The rows that are in sight, and some beyond. */
function useWindow(box: { readonly current: HTMLElement | null }, count: number): readonly [number, number] {
  const [{ top, height }, setPlace] = useState({ top: 0, height: 800 })
  useEffect(() => {
    const element = box.current!
    const look = (): void => setPlace({ top: element.scrollTop, height: element.clientHeight })
    const observer = new ResizeObserver(look)
    observer.observe(element)
    element.addEventListener('scroll', look, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', look)
    }
  }, [])
  // fewer rows than before: what was in sight may be gone
  const most = Math.max(0, count - Math.ceil(height / ROW))
  const first = Math.max(0, Math.min(Math.floor(top / ROW), most) - BEYOND)
  return [first, Math.min(count, first + Math.ceil(height / ROW) + 2 * BEYOND)]
}

const known = new Map<string, readonly number[]>()

/** Asks for those of the rows in sight that are not known yet, when scrolling rests. */
function useSparks(hashes: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const [, setCount] = useState(0)
  const missing = hashes.filter((hash) => !known.has(hash))
  useEffect(() => {
    if (missing.length === 0) return undefined
    const load = async (): Promise<void> => {
      const found = await get<Record<string, readonly number[]>>('/api/sparks', { hashes: missing.join(',') }).catch(
        () => ({}),
      )
      for (const hash of missing) known.set(hash, (found as Record<string, readonly number[]>)[hash] ?? [])
      setCount((count) => count + 1)
    }
    const timer = setTimeout(() => void load(), 120)
    return () => clearTimeout(timer)
  }, [missing.join()])
  return known
}
