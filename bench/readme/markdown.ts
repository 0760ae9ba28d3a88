/** A table: the first column to the left, figures to the right. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, i) => (i === 0 ? '---' : '--:'))
  return [line(head.map(escaped)), line(rule), ...rows.map((row) => line(row.map(escaped)))].join('\n')
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const escaped = (text: string): string => text.replaceAll('|', '\\|')

/** The digits by which the command shows an experiment, and by which it finds one. */
export const hashWords = (hash: string): string => `\`${hash.slice(0, 16)}\``

/** A cell for what was not measured. */
export const NONE = '–'
export const share = (value: number | undefined): string => value?.toFixed(4) ?? NONE
