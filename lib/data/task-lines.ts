import { indexOf, isText, isTexts, shown, textsOf } from './task-fields.ts'
import type { Json } from './task-fields.ts'

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
  const { endings, activity_label: activity, ctx_a: first, ctx_b: second } = line
  const texts = textsOf(line, 'ctx')
  if (typeof texts === 'string') return texts
  if (!isTexts(endings) || endings.length !== 4) {
    return `"endings" must be four texts that are not empty, found ${shown(endings)}`
  }
  const label = indexOf(line, 'label', 4)
  if (typeof label === 'string') return label
  if (activity !== undefined && typeof activity !== 'string') return '"activity_label" must be a text'
  const whole = { ...texts, endings, label, ...(activity === undefined ? {} : { activity }) }
  if (first === undefined && second === undefined) return whole
  if (typeof first === 'string' && typeof second === 'string') return { ...whole, parts: [first, second] }
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
  if (!isText(query)) return `"query" must be a text that is not empty, found ${shown(query)}`
  if (!isTexts(choices)) return `"choices" must be two texts or more, none empty, found ${shown(choices)}`
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
  if (!isTexts(contexts)) return `"context_options" must be two texts or more, none empty, found ${shown(contexts)}`
  if (!isText(continuation)) return `"continuation" must be a text that is not empty, found ${shown(continuation)}`
  const gold = indexOf(line, 'gold', contexts.length)
  return typeof gold === 'string' ? gold : { contexts, continuation, gold }
}

export interface LastWordLine {
  readonly context: string
  readonly continuation: string
}

/** `context`, `continuation`. */
export const lastWordLine = (line: Json): LastWordLine | string => textsOf(line, 'context', 'continuation')
