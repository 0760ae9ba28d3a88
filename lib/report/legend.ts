import { html } from './html.ts'
import type { Html } from './html.ts'

export interface LegendEntry {
  readonly label: string
  /** A CSS colour of the page's style. */
  readonly colour: string
  readonly dash: readonly number[]
}

/** A legend beside the drawing rather than in it: it wraps on a phone and never covers a line. */
export const legend = (entries: readonly LegendEntry[]): Html | undefined =>
  entries.length === 0
    ? undefined
    : html`<ul class="legend">
        ${entries.map(entry)}
      </ul>`

export const dot = (colour: string): Html => html`<span class="dot" style="--c: ${colour}" aria-hidden="true"></span>`

const entry = ({ label, colour, dash }: LegendEntry): Html =>
  html`<li>
    <svg viewBox="0 0 28 10" aria-hidden="true">
      <path d="M0 5H28" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash.join(' ')}" /></svg
    >${label}
  </li>`
