import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'times.json'), 'utf8')) as {
  readonly seconds: readonly number[]
}

/** How long the nth task takes: the recorded times over and over, in an order that is mixed, scaled to this mean. */
export function taskTimes(mean: number): (nth: number) => number {
  const { seconds } = recorded
  const scale = (mean * seconds.length) / seconds.reduce((sum, one) => sum + one, 0)
  return (nth) => scale * seconds[(Math.imul(nth, 0x9e3779b1) >>> 0) % seconds.length]!
}
