/** A line of a data set, as it was parsed. */
export type Json = Readonly<Record<string, unknown>>

export interface HellaswagLine {
  readonly ctx: string
  /** Of the context, where the file has them apart. */
  readonly parts?: readonly [string, string]
  readonly activity?: string
  readonly endings: readonly string[]
  readonly label: number
}

/** `ctx`, `endings` (4 texts), `label` (0–3, or a text of it); `activity_label`, and `ctx_a` with `ctx_b`, if there. */
export function hellaswagLine(line: Json): HellaswagLine | string {
  const { ctx, endings, activity_label: activity, ctx_a: first, ctx_b: second } = line
  if (!isText(ctx)) return '"ctx" must be a text that is not empty'
  if (!isTexts(endings) || endings.length !== 4) {
    return `"endings" must be four texts that are not empty, found ${countOf(endings)}`
  }
  const label = indexOf(line, 'label', 4)
  if (typeof label === 'string') return label
  if (activity !== undefined && typeof activity !== 'string') return '"activity_label" must be a text'
  const named = activity === undefined ? {} : { activity }
  if (first === undefined && second === undefined) return { ctx, endings, label, ...named }
  if (typeof first === 'string' && typeof second === 'string') {
    return { ctx, parts: [first, second], endings, label, ...named }
  }
  return '"ctx_a" and "ctx_b" must both be texts, or both be absent'
}

export interface QuestionLine {
  readonly query: string
  readonly choices: readonly string[]
  readonly gold: number
}

/** `query`, `choices` (2 texts or more), `gold` (index of the right one). */
export function questionLine(line: Json): QuestionLine | string {
  const { query, choices } = line
  if (!isText(query)) return '"query" must be a text that is not empty'
  if (!isTexts(choices)) return `"choices" must be two texts or more, none empty, found ${countOf(choices)}`
  const gold = indexOf(line, 'gold', choices.length)
  return typeof gold === 'string' ? gold : { query, choices, gold }
}

export interface ContextsLine {
  readonly contexts: readonly string[]
  readonly continuation: string
  readonly gold: number
}

/** `context_options` (2 texts or more: the text up to the blank and each filling), `continuation`, `gold`. */
export function contextsLine(line: Json): ContextsLine | string {
  const { context_options: contexts, continuation } = line
  if (!isTexts(contexts)) return `"context_options" must be two texts or more, none empty, found ${countOf(contexts)}`
  if (!isText(continuation)) return '"continuation" must be a text that is not empty'
  const gold = indexOf(line, 'gold', contexts.length)
  return typeof gold === 'string' ? gold : { contexts, continuation, gold }
}

/** `context`, `continuation`. */
export function lastWordLine({ context, continuation }: Json): { context: string; continuation: string } | string {
  if (!isText(context)) return '"context" must be a text that is not empty'
  if (!isText(continuation)) return '"continuation" must be a text that is not empty'
  return { context, continuation }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length >= 2 && value.every(isText)

/** Some copies of HellaSwag hold the label as text. */
function indexOf(line: Json, name: string, count: number): number | string {
  const value = line[name]
  const index = Array.from({ length: count }, (_, n) => n).find((n) => value === n || value === String(n))
  if (index !== undefined) return index
  return `"${name}" must be a whole number from 0 to ${count - 1}, found ${JSON.stringify(value)}`
}

function countOf(value: unknown): string {
  return Array.isArray(value) ? `${value.length}: ${JSON.stringify(value).slice(0, 80)}` : JSON.stringify(value)
}
