import type { Interval } from './statistics.ts'

/** Numbers for people, the same in every locale. A no-break space keeps a number and its unit together. */
const NBSP = '\u00a0'
const MINUS = '\u2212'

/** 0.4213 → `42.1 %` */
export const percent = (share: number): string => `${(100 * share).toFixed(1)}${NBSP}%`

/** A share from elsewhere, with all the digits it came with: 0.2955 → `29.55 %`, 0.25 → `25 %`. */
export const percentExact = (share: number): string => `${Number((100 * share).toFixed(2))}${NBSP}%`

export const percentInterval = ({ low, high }: Interval): string =>
  `${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)}${NBSP}%`

/** A difference of shares in percentage points: `+10.5`. */
export const points = (difference: number): string => signed(100 * difference, 1)

/** Perplexity: two decimals, fewer as it grows. */
export const perplexity = (value: number): string =>
  value < 100 ? value.toFixed(2) : value < 1000 ? value.toFixed(1) : grouped(Math.round(value))

export const signed = (value: number, decimals: number): string => {
  const digits = Math.abs(value).toFixed(decimals)
  return Number(digits) === 0 ? digits : `${value < 0 ? MINUS : '+'}${digits}`
}

/** `p = 0.024`, `p < 0.001` */
export const probability = (p: number): string => {
  if (p < 0.001) return `p${NBSP}<${NBSP}0.001`
  // rounding must not carry p over the threshold that the verdict stands on
  return `p${NBSP}=${NBSP}${p < 0.05 && p >= 0.0495 ? p.toFixed(4) : p.toFixed(3)}`
}

/** 124439808 → `124.4 M` */
export const millions = (value: number): string => {
  if (value < 1e4) return grouped(value)
  if (value < 1e5) return `${(value / 1e3).toFixed(1)}${NBSP}k`
  return value < 1e9 ? `${(value / 1e6).toFixed(value < 1e7 ? 2 : 1)}${NBSP}M` : `${(value / 1e9).toFixed(2)}${NBSP}B`
}

/** 10042 → `10,042` */
export const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',')

/** 83.4 → `1 min 23 s` */
export const duration = (seconds: number): string => {
  if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1)}${NBSP}s`
  const whole = Math.round(seconds)
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  if (hours > 0) return `${hours}${NBSP}h ${minutes}${NBSP}min`
  return minutes > 0 ? `${minutes}${NBSP}min ${rest}${NBSP}s` : `${rest}${NBSP}s`
}
