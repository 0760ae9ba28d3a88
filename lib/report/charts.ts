import type { CustomSeriesRenderItem } from 'echarts'
import type { EChartsCoreOption } from 'echarts/core'
import { percent } from './format.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'
import { drawChart } from './svg.ts'
import type { ChartText } from './svg.ts'
import type { ScoreRow } from './table.ts'

export interface Line {
  readonly name: string
  readonly colour: string
  readonly dashed: boolean
  /** Step and value, steps rising. */
  readonly points: readonly (readonly [number, number])[]
}

/** Room for labels is fixed: echarts cannot measure the reader's font, and its guess cuts them off. */
export const FIXED = { outerBoundsMode: 'none', right: 24, top: 14, bottom: 26 } as const
export const LINES = { name: 'lines', width: 340, height: 236 }
const SCORES = [
  { name: 'wide', width: 620, height: 270 },
  { name: 'narrow', width: 340, height: 280 },
] as const

/** More points than a chart has room for are drawn as means of neighbours. */
const MOST_POINTS = 160

export const axis = {
  axisLine: { lineStyle: { color: 'var(--rule-strong)' } },
  axisTick: { lineStyle: { color: 'var(--rule-strong)' } },
  axisLabel: { color: 'var(--quiet)', fontSize: 12 },
  splitLine: { lineStyle: { color: 'var(--rule)' } },
} as const

/** Values by training step. */
export const lineChart = (text: ChartText, lines: readonly Line[]): Html =>
  drawChart(text, LINES, {
    grid: { ...FIXED, left: 38 },
    xAxis: { ...axis, type: 'value', splitNumber: 4, splitLine: { show: false } },
    yAxis: {
      ...axis,
      type: 'value',
      scale: true,
      splitNumber: 4,
      axisLine: { show: false },
      axisTick: { show: false },
    },
    series: lines.map(({ colour, dashed, points }) => ({
      type: 'line',
      silent: true,
      showSymbol: points.length <= 24,
      symbol: 'circle',
      symbolSize: 5,
      data: thin(points),
      itemStyle: { color: colour },
      lineStyle: { color: colour, width: 2, type: dashed ? [6, 4] : 'solid' },
    })),
  })

/**
 * A mark each row: the share of right answers, its interval as a line. `marks` are drawn across all rows. Drawn twice,
 * since type that is legible on a desk is not on a phone: the page shows one.
 */
export const scoreChart = (text: ChartText, rows: readonly ScoreRow[], marks: readonly Mark[]): Html =>
  html`${SCORES.map((shape) => drawChart(text, shape, scoreOption(rows, marks)))}`

const scoreOption = (rows: readonly ScoreRow[], marks: readonly Mark[]): EChartsCoreOption => ({
  grid: { ...FIXED, left: 138 },
  xAxis: {
    ...axis,
    ...{ type: 'value', scale: true, splitNumber: 4, ...extent(rows, marks) },
    axisLabel: { ...axis.axisLabel, formatter: (value: number) => `${Math.round(100 * value)}\u00a0%` },
  },
  yAxis: {
    ...axis,
    ...{ type: 'category', inverse: true, axisTick: { show: false }, axisLine: { show: false } },
    axisLabel: { color: 'var(--ink)', fontSize: 12.5 },
    data: rows.map((row) => row.cell.label),
  },
  series: [
    {
      ...{ type: 'custom', silent: true, z: 3, renderItem: drawInterval(rows), encode: { x: [0, 1, 2], y: 3 } },
      data: rows.map(({ accNorm }, i) => [accNorm?.value, accNorm?.interval.low, accNorm?.interval.high, i]),
      markLine: {
        ...{ symbol: 'none', silent: true, z: 1, label: { show: false } },
        data: marks.map(({ value, dash }) => ({
          xAxis: value,
          lineStyle: { color: 'var(--quiet)', width: 1.25, type: dash },
        })),
      },
    },
  ],
})

/** A value that stands for no model of this run: chance, a simple rule, a published score. */
export interface Mark {
  readonly label: string
  readonly value: number
  /** Lengths of stroke and gap: marks must be told apart without colour. */
  readonly dash: readonly number[]
}

/** Keeps a number legible on the marks that cross it. */
const HALO = { stroke: 'var(--paper)', lineWidth: 5 } as const

const drawInterval =
  (rows: readonly ScoreRow[]): CustomSeriesRenderItem =>
  (_, api) => {
    const row = Number(api.value(3))
    const colour = rows[row]!.cell.colour
    const [x, y] = api.coord([api.value(0), row]) as [number, number]
    const [low] = api.coord([api.value(1), row]) as [number]
    const [high] = api.coord([api.value(2), row]) as [number]
    const line = (x1: number, y1: number, x2: number, y2: number) =>
      ({ type: 'line', shape: { x1, y1, x2, y2 }, style: { stroke: colour, fill: 'none', lineWidth: 2 } }) as const
    const share = percent(Number(api.value(0)))
    return {
      type: 'group',
      children: [
        line(low, y, high, y),
        line(low, y - 5, low, y + 5),
        line(high, y - 5, high, y + 5),
        { type: 'circle', shape: { cx: x, cy: y, r: 5.5 }, style: { fill: colour } },
        {
          ...{ type: 'text', x, y: y - 12 },
          style: { text: share, fill: 'var(--ink)', fontSize: 12, align: 'center', verticalAlign: 'bottom', ...HALO },
        },
      ],
    }
  }

/** The axis begins and ends at tens of percent that leave no interval and no mark outside. */
const extent = (rows: readonly ScoreRow[], marks: readonly Mark[]): { readonly min: number; readonly max: number } => {
  const values = [
    ...rows.flatMap(({ accNorm }) => (accNorm ? [accNorm.interval.low, accNorm.interval.high] : [])),
    ...marks.map((mark) => mark.value),
  ]
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return { min: Math.max(0, Math.floor(10 * low - 0.2) / 10), max: Math.min(1, Math.ceil(10 * high + 0.2) / 10) }
}

const thin = (points: Line['points']): Line['points'] => {
  const size = Math.ceil(points.length / MOST_POINTS)
  if (size === 1) return points
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const bin = points.slice(i * size, (i + 1) * size)
    const average = (of: 0 | 1) => bin.reduce((total, point) => total + point[of], 0) / bin.length
    return [average(0), average(1)] as const
  })
}

/** How many steps one drawn point stands for. */
export const stepsPerPoint = (points: Line['points']): number => Math.ceil(points.length / MOST_POINTS)
