import { CustomChart, LineChart } from 'echarts/charts'
import { GridComponent, MarkLineComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import type { EChartsCoreOption } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { escape, raw } from './html.ts'
import type { Html } from './html.ts'

use([CustomChart, LineChart, GridComponent, MarkLineComponent, SVGRenderer])

/** A chart's size in CSS pixels, at which its type is as large as the page's small print. */
export interface Shape {
  /** A class: the page's style says where this shape is shown. */
  readonly name: string
  readonly width: number
  readonly height: number
}

export interface ChartText {
  /** Unique in the page. */
  readonly id: string
  readonly title: string
  /** What the chart shows, in words, for those who do not see it. */
  readonly description: string
}

/** Draws one shape. Colours are CSS variables of the page, so that one drawing serves light, dark and print. */
export const drawChart = (text: ChartText, { name, width, height }: Shape, option: EChartsCoreOption): Html => {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height })
  try {
    chart.setOption({ animation: false, textStyle: { fontFamily: 'inherit', fontSize: 12 }, ...option })
    return raw(`<div class="chart ${name}">${mend(chart.renderToSVGString(), `${text.id}-${name}`, text)}</div>`)
  } finally {
    chart.dispose()
  }
}

/**
 * Makes echarts' drawing fit for a page: a name and a description for screen readers, ids of its own (echarts counts them
 * through the process, so that a page would depend on what was drawn before), no style for a pointer that does nothing.
 */
const mend = (svg: string, id: string, { title, description }: ChartText): string => {
  const box = /viewBox="([^"]*)"/.exec(svg)?.[1]
  if (box === undefined) throw new Error('Internal error: the chart has no viewBox')
  const opening = `<svg viewBox="${box}" role="img" aria-labelledby="${id}-title ${id}-desc"><title id="${id}-title">${escape(title)}</title><desc id="${id}-desc">${escape(description)}</desc>`
  return svg
    .replace(/^<svg [^>]*>/, opening)
    .replace(/<style\b.*?<\/style>/gs, '')
    .replace(/<rect [^>]*fill="none"><\/rect>/, '')
    .replace(/ (?:class|pointer-events)="[^"]*"/g, '')
    .replace(/\bzr\d+-/g, `${id}-`)
    .replace(/\n+/g, '')
}
