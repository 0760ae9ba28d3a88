const BARS = '▁▂▃▄▅▆▇█'

/** The last values as bars between their lowest and highest, at most `width` of them, each the mean of its share. */
export function sparkline(values: readonly number[], width: number): string {
  if (values.length === 0 || width < 1) return ''
  const count = Math.min(width, values.length)
  const means = Array.from({ length: count }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / count), Math.floor(((i + 1) * values.length) / count))
    return part.reduce((sum, value) => sum + value, 0) / part.length
  })
  const [low, high] = [Math.min(...means), Math.max(...means)]
  const bar = (value: number): string =>
    BARS[Math.round(((value - low) / (high - low || 1)) * (BARS.length - 1))] ?? ' '
  return means.map(bar).join('')
}
