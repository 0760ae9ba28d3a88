import type { CustomSeriesRenderItem } from 'echarts'
import { axis, FIXED, LINES } from './charts.ts'
import type { Html } from './html.ts'
import type { Interval } from './statistics.ts'
import { drawChart } from './svg.ts'
import type { ChartText } from './svg.ts'

/** Values by a category each, with their intervals where there are any. */
export interface Band {
  readonly label: string
  readonly colour: string
  readonly dash: readonly number[]
  readonly points: readonly { readonly at: string; readonly value: number; readonly interval: Interval | null }[]
}

/** A value of no category, drawn across. */
export interface Level {
  readonly label: string
  readonly value: number
  readonly dash: readonly number[]
}

export interface Scale {
  /** A value as it stands on the axis. */
  readonly tick: (value: number) => string
  /** What no value is above: 1 of shares. */
  readonly most?: number
}

/** Of shares, in percent. */
export const shares: Scale = { tick: (value) => `${Number((100 * value).toFixed(1))}\u00a0%`, most: 1 }

/** Bars of neighbouring lines must not cover each other: pixels between them. */
const APART = 7

/** The categories stand side by side in the order of the points, at equal distances. */
export const bandChart = (
  text: ChartText,
  bands: readonly Band[],
  levels: readonly Level[],
  { tick, most }: Scale,
): Html => {
  const names = [...new Set(bands.flatMap(({ points }) => points.map(({ at }) => at)))]
  return drawChart(text, LINES, {
    grid: { ...FIXED, left: 52 },
    xAxis: { ...axis, type: 'category', data: names, splitLine: { show: false } },
    yAxis: {
      ...{ ...axis, type: 'value', scale: true, splitNumber: 4, axisLine: { show: false }, axisTick: { show: false } },
      axisLabel: { ...axis.axisLabel, formatter: tick },
      ...(most === undefined ? {} : { max: ({ max }: { max: number }) => (max > 0.9 * most ? most : null) }),
    },
    series: [
      ...bands.map((band, i) => ({
        ...{ type: 'custom', silent: true, z: 3, encode: { x: 0, y: [1, 2, 3] } },
        renderItem: drawBand(band, names, (i - (bands.length - 1) / 2) * APART),
        data: band.points.map(({ at, value, interval }) => [
          names.indexOf(at),
          value,
          interval?.low ?? value,
          interval?.high ?? value,
        ]),
      })),
      {
        // drawn by its mark lines alone; its data make room for them on the axis
        ...{ type: 'custom', silent: true, z: 1, renderItem: () => undefined },
        data: levels.map(({ value }) => [0, value]),
        markLine: {
          ...{ symbol: 'none', silent: true, label: { show: false } },
          data: levels.map(({ value, dash }) => {
            return { yAxis: value, lineStyle: { color: 'var(--quiet)', width: 1.25, type: dash } }
          }),
        },
      },
    ],
  })
}

/** A bar and a dot each point; the first one brings the line through all. */
const drawBand =
  ({ points, colour, dash }: Band, names: readonly string[], shift: number): CustomSeriesRenderItem =>
  ({ dataIndex }, api) => {
    const place = (at: string, value: number): [number, number] => {
      const [x, y] = api.coord([names.indexOf(at), value]) as [number, number]
      return [x + shift, y]
    }
    const line = (x1: number, y1: number, x2: number, y2: number) =>
      ({ type: 'line', shape: { x1, y1, x2, y2 }, style: { stroke: colour, fill: 'none', lineWidth: 1.5 } }) as const
    const { at, value, interval } = points[dataIndex]!
    const [cx, cy] = place(at, value)
    const [low, high] = interval ? [place(at, interval.low)[1], place(at, interval.high)[1]] : [cy, cy]
    const through = points.map((point) => place(point.at, point.value))
    const style = { stroke: colour, fill: 'none', lineWidth: 2, lineDash: [...dash] }
    return {
      type: 'group',
      children: [
        ...(dataIndex === 0 ? [{ type: 'polyline', shape: { points: through }, style } as const] : []),
        ...(interval
          ? [line(cx, low, cx, high), line(cx - 3, low, cx + 3, low), line(cx - 3, high, cx + 3, high)]
          : []),
        { type: 'circle', shape: { cx, cy, r: 3.5 }, style: { fill: colour } },
      ],
    }
  }
