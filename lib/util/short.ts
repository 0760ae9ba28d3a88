import type { Json } from './json.ts'

/** At most five digits: metrics are read, not computed with. */
export const short = (value: Json): string =>
  typeof value === 'number' ? String(Number(value.toPrecision(5))) : JSON.stringify(value)
