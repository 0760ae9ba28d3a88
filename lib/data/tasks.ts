import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import type { Result } from '../util/result.ts'
import { err, ok } from '../util/result.ts'
import { readText } from './read.ts'

/** A context and its four endings, of which one is right: an item of HellaSwag, or of the built-in world. */
export interface Item {
  /** Its place in the set, which is also how the items of two models are paired. */
  readonly index: number
  readonly activity?: string
  /** As in the file, not cleaned. */
  readonly context: string
  readonly endings: readonly [string, string, string, string]
  readonly label: 0 | 1 | 2 | 3
}

/**
 * Reads items in HellaSwag's form, a JSON object a line: `ctx`, `endings` (4 strings), `label` (0–3, or a string of it),
 * and `activity_label` if there is one. Blank lines are skipped.
 * Failures: FILE_MISSING, FILE_NOT_UTF8, ITEMS_EMPTY, and ITEMS_INVALID, placed at the first wrong line and naming more.
 */
export function readItems(file: string): Result<Item[], Failure> {
  try {
    return parseItems(file, readText(file))
  } catch (error) {
    if (error instanceof Failure) return err(error)
    throw error
  }
}

interface Mistake {
  readonly line: number
  readonly text: string
  readonly what: string
}

function parseItems(file: string, text: string): Result<Item[], Failure> {
  const items: Item[] = []
  const mistakes: Mistake[] = []
  text.split(/\r?\n/).forEach((line, at) => {
    if (line.trim() === '') return
    const item = parseItem(line, items.length + mistakes.length)
    if (typeof item === 'string') mistakes.push({ line: at + 1, text: line, what: item })
    else items.push(item)
  })
  if (mistakes.length > 0) return err(invalid(file, mistakes))
  if (items.length === 0)
    return err(new Failure('ITEMS_EMPTY', `"${file}" holds no items: expected a JSON object a line.`))
  return ok(items)
}

function invalid(file: string, mistakes: readonly Mistake[]): Failure {
  const shown = mistakes.slice(0, 5).map(({ line, what }) => `line ${line}: ${what}`)
  if (mistakes.length > 5) shown.push(`and ${mistakes.length - 5} more`)
  const message = `"${file}" is not in HellaSwag's form: ${shown.join('; ')}.`
  const { line, text } = mistakes[0]!
  return new Failure('ITEMS_INVALID', message, { place: { file, line, column: 1, text } })
}

/** An item, or what is wrong with the line. */
function parseItem(line: string, index: number): Item | string {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return 'it is not valid JSON'
  }
  if (!isRecord(json)) return 'it is not a JSON object'
  const { ctx, endings, activity_label: activity } = json
  const label = labelOf(json['label'])
  if (typeof ctx !== 'string' || ctx === '') return '"ctx" must be a text that is not empty'
  if (!isEndings(endings)) return `"endings" must be four texts that are not empty, found ${countOf(endings)}`
  if (label === undefined) {
    return `"label" must be 0, 1, 2 or 3, found ${JSON.stringify(json['label'])}`
  }
  if (activity !== undefined && typeof activity !== 'string') return '"activity_label" must be a text'
  return { index, context: ctx, endings, label, ...(activity === undefined ? {} : { activity }) }
}

/** Some copies of the set hold the label as text. */
function labelOf(value: unknown): Item['label'] | undefined {
  return ([0, 1, 2, 3] as const).find((one) => value === one || value === String(one))
}

function isEndings(value: unknown): value is Item['endings'] {
  return Array.isArray(value) && value.length === 4 && value.every((one) => typeof one === 'string' && one !== '')
}

function countOf(value: unknown): string {
  return Array.isArray(value) ? `${value.length}: ${JSON.stringify(value).slice(0, 80)}` : JSON.stringify(value)
}
