import type { Json } from './json.ts'

/** At most five digits of what is measured, all of what is counted: metrics are read, not computed with. */
export const short = (value: Json): string =>
  typeof value === 'number' && !Number.isInteger(value) ? String(Number(value.toPrecision(5))) : JSON.stringify(value)
