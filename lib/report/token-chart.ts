import type { CustomSeriesRenderItem } from 'echarts'
import { axis, FIXED } from './charts.ts'
import type { Html } from './html.ts'
import { drawChart } from './svg.ts'
import type { ChartText } from './svg.ts'

/** The probability of a token: the teacher's as a bar, those of others as dots. */
export interface TokenRow {
  readonly token: string
  readonly bar: number
  readonly dots: readonly { readonly colour: string; readonly value: number }[]
}

const ROW = 17
/** Of a token's text: more is cut. */
const LONGEST = 13

export const tokenChart = (text: ChartText, rows: readonly TokenRow[], colour: string): Html => {
  const top = Math.max(...rows.flatMap(({ bar, dots }) => [bar, ...dots.map(({ value }) => value)]))
  const shape = { name: 'lines', width: 340, height: ROW * rows.length + FIXED.top + FIXED.bottom }
  return drawChart(text, shape, {
    grid: { ...FIXED, left: 104 },
    xAxis: {
      ...{ ...axis, type: 'value', min: 0, max: Math.min(1, Math.ceil(20 * top) / 20), splitNumber: 3 },
      axisLabel: { ...axis.axisLabel, formatter: (value: number) => `${Number((100 * value).toFixed(1))}\u00a0%` },
    },
    yAxis: {
      ...{ type: 'category', inverse: true, axisTick: { show: false }, axisLine: { show: false } },
      axisLabel: { color: 'var(--ink)', fontSize: 12, interval: 0 },
      data: rows.map(({ token }) => shown(token)),
    },
    series: [
      {
        ...{ type: 'custom', silent: true, z: 3, renderItem: drawRow(rows, colour), encode: { x: 0, y: 1 } },
        data: rows.map(({ bar }, i) => [bar, i]),
      },
    ],
  })
}

const drawRow =
  (rows: readonly TokenRow[], colour: string): CustomSeriesRenderItem =>
  ({ dataIndex }, api) => {
    const { bar, dots } = rows[dataIndex]!
    const [zero, y] = api.coord([0, dataIndex]) as [number, number]
    const at = (value: number): number => (api.coord([value, dataIndex]) as [number, number])[0]
    return {
      type: 'group',
      children: [
        {
          ...{ type: 'rect', shape: { x: zero, y: y - 5, width: Math.max(1, at(bar) - zero), height: 10 } },
          style: { fill: colour, opacity: 0.45 },
        },
        ...dots.map(({ colour: fill, value }) => {
          return { type: 'circle', shape: { cx: at(value), cy: y, r: 4 }, style: { fill } } as const
        }),
      ],
    }
  }

/** A space at the beginning belongs to the token, and is to be seen. */
const shown = (token: string): string => {
  const visible = token.replace(/^ /, '␣').replace(/\n/g, '↵') || '(nothing)'
  return visible.length > LONGEST ? `${visible.slice(0, LONGEST - 1)}…` : visible
}
