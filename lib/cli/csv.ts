import type { Json } from '../util/json.ts'

/** Comma-separated values as RFC 4180 has them, each line ended by CR and LF; null is an empty cell, lists are JSON. */
export const csv = (rows: readonly (readonly Json[])[]): string =>
  rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('')

function cell(value: Json): string {
  const text = value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
