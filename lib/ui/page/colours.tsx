/// <reference lib="dom" />

/** Lines are told apart by dashes too: not all see colours, and there are more lines than colours. */
const COLOURS = ['--student', '--control', '--teacher', '--other', '--baseline']
const DASHES: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [10, 3, 2, 3]]

export interface Stroke {
  /** A variable of the page's style. */
  readonly colour: string
  readonly dash: readonly number[]
}

export const strokeOf = (index: number): Stroke => ({
  colour: COLOURS[index % COLOURS.length]!,
  dash: DASHES[Math.floor(index / COLOURS.length + (index % COLOURS.length)) % DASHES.length]!,
})

export const valueOf = (variable: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(variable).trim()

export function Swatch({ colour, dash }: Stroke) {
  return (
    <svg class="swatch" viewBox="0 0 28 10" aria-hidden="true">
      <path d="M0 5H28" stroke={`var(${colour})`} stroke-width="2" stroke-dasharray={dash.join(' ')} />
    </svg>
  )
}
