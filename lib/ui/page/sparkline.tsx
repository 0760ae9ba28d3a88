const [WIDTH, HEIGHT, MARGIN] = [96, 22, 2]

/** The course of a curve, without its axes. */
export function Sparkline({ values }: { readonly values: readonly number[] | undefined }) {
  if (values === undefined || values.length < 2) return <span class="hidden">{values === undefined ? '' : 'none'}</span>
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const x = (i: number): number => MARGIN + (i / (values.length - 1)) * (WIDTH - 2 * MARGIN)
  const y = (value: number): number => HEIGHT - MARGIN - ((value - low) / (high - low || 1)) * (HEIGHT - 2 * MARGIN)
  const points = values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
  const label = `from ${brief(values[0]!)} to ${brief(values.at(-1)!)}, lowest ${brief(low)}`
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      <polyline points={points} fill="none" stroke="var(--student)" stroke-width="1.5" />
    </svg>
  )
}

const brief = (value: number): string => String(Number(value.toPrecision(3)))
