/// <reference lib="dom" />
import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { Swatch, valueOf } from './colours.tsx'
import type { Stroke } from './colours.tsx'
import { short } from '../../util/short.ts'
import { ticks } from './format.ts'

export interface Line extends Stroke {
  readonly name: string
  readonly steps: readonly number[]
  readonly values: readonly (number | null)[]
}

interface ChartProps {
  readonly title: string
  /** What the horizontal axis counts. */
  readonly along: string
  readonly lines: readonly Line[]
  readonly isLog?: boolean
}

const HEIGHT = 260
/** uPlot's name for it is an enum that types alone have. */
const LOGARITHMIC = 3 as unknown as uPlot.Scale.Distr

/** Lines over each other. Dragged over it zooms in; the arrow keys go from point to point, and Escape zooms out. */
export function Chart({ title, along, lines, isLog = false }: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const [at, setAt] = useState<number>()
  const theme = useTheme()
  const data = joined(lines)
  const look = JSON.stringify([lines.map(({ name, colour, dash }) => [name, colour, dash]), isLog, theme, along])
  useEffect(() => {
    const element = place.current!
    const made = new uPlot(optionsOf(element.clientWidth, lines, along, isLog, setAt), data, element)
    plot.current = made
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
    }
  }, [look])
  useEffect(() => {
    if (plot.current && plot.current.data !== data) plot.current.setData(data)
  }, [sizeOf(lines)])
  const key = (event: KeyboardEvent): void => {
    const made = plot.current
    const steps = data[0]
    if (!made || steps.length === 0) return
    if (event.key === 'Escape') made.setData(data)
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity }[event.key]
    if (by === undefined) return
    event.preventDefault()
    const next = Math.min(Math.max((at ?? -1) + by, 0), steps.length - 1)
    made.setCursor({ left: made.valToPos(steps[next]!, 'x'), top: 1 })
    setAt(next)
  }
  return (
    <figure class="chart">
      <h3>{title}</h3>
      <ul class="legend">
        {lines.map((line) => (
          <li key={line.name}>
            <Swatch {...line} />
            {line.name}
          </li>
        ))}
      </ul>
      <div
        class="plot"
        ref={place}
        tabIndex={0}
        role="group"
        aria-label={described(title, along, lines)}
        onKeyDown={key}
      />
      <p class="readout" aria-live="polite">
        {readout(at, data, along, lines) ?? `${along}; drag to zoom, arrow keys to read values`}
      </p>
    </figure>
  )
}

const sizeOf = (lines: readonly Line[]): string =>
  lines.map(({ steps, values }) => `${steps.length}:${steps.at(-1) ?? ''}:${values.at(-1) ?? ''}`).join()

function joined(lines: readonly Line[]): uPlot.AlignedData {
  if (lines.length === 0) return [[]]
  return uPlot.join(lines.map(({ steps, values }) => [[...steps], [...values]]))
}

function optionsOf(
  width: number,
  lines: readonly Line[],
  along: string,
  isLog: boolean,
  onCursor: (index: number | undefined) => void,
): uPlot.Options {
  const axis = {
    stroke: valueOf('--quiet'),
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: valueOf('--rule'), width: 1 },
    ticks: { stroke: valueOf('--rule'), width: 1 },
  }
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { points: { size: 7 } },
    scales: { x: { time: false }, y: isLog ? { distr: LOGARITHMIC } : {} },
    axes: [
      { ...axis, size: 34 },
      { ...axis, size: 58, values: (_, splits) => ticks(splits) },
    ],
    series: [
      { label: along },
      ...lines.map(({ name, colour, dash, values }) => ({
        label: name,
        stroke: valueOf(colour),
        width: 2,
        dash: [...dash],
        spanGaps: true,
        points: { show: values.length < 25 },
      })),
    ],
    hooks: { setCursor: [({ cursor }: uPlot) => onCursor(cursor.idx ?? undefined)] },
  }
}

function readout(
  at: number | undefined,
  data: uPlot.AlignedData,
  along: string,
  lines: readonly Line[],
): string | undefined {
  const step = at === undefined ? undefined : data[0][at]
  if (at === undefined || step === undefined) return undefined
  const values = lines.map(({ name }, i) => {
    const value = data[i + 1]?.[at]
    return typeof value === 'number' ? `${lines.length > 1 ? `${name} ` : ''}${short(value)}` : undefined
  })
  return `${along} ${short(step)}: ${values.filter(Boolean).join(', ') || 'nothing measured'}`
}

function described(title: string, along: string, lines: readonly Line[]): string {
  const ends = lines.map(({ name, steps, values }) => {
    const known = values.flatMap((value, i) => (value === null ? [] : [[steps[i]!, value] as const]))
    const [first, last] = [known[0], known.at(-1)]
    if (first === undefined || last === undefined) return `${name}: nothing`
    return `${name}: ${short(first[1])} at ${short(first[0])}, ${short(last[1])} at ${short(last[0])}`
  })
  return `${title}, by ${along}. ${ends.join('; ')}.`
}

/** Canvases do not follow the style: another theme draws anew. */
function useTheme(): boolean {
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const [isDark, setDark] = useState(dark.matches)
  useEffect(() => {
    const change = (): void => setDark(dark.matches)
    dark.addEventListener('change', change)
    return () => dark.removeEventListener('change', change)
  }, [])
  return isDark
}
