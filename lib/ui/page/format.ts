import { short } from '../../util/short.ts'
import type { Json } from '../api.ts'

export { duration, grouped } from '../../report/format.ts'

/** A value in a cell; nothing where there is none. */
export function shown(value: Json | undefined): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : short(value)
}

/** Of an axis: uPlot's own have three decimals, which are too few for a learning rate. A logarithmic one names not all. */
export const ticks = (values: readonly (number | null)[]): string[] =>
  values.map((value) => (value === null ? '' : short(value)))

/** `2026-11-26 20:00`, as `pipeline list` has it. */
export const when = (at: string): string => at.slice(0, 16).replace('T', ' ')

export const brief = (hash: string): string => hash.slice(0, 12)

/** `512 B`, `1.5 kB`, `12.3 GB`: thousands of bytes, as disks are sold. */
export function size(bytes: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 4)
  const unit = ['B', 'kB', 'MB', 'GB', 'TB'][power]!
  return power === 0 ? `${bytes} B` : `${(bytes / 1000 ** power).toFixed(1)} ${unit}`
}
