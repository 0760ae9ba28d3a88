import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import type { Result } from '../util/result.ts'
import { err, ok } from '../util/result.ts'
import { readText } from './read.ts'
import { forms, lastWords } from './task-forms.ts'
import type { Convention, Form, ItemFormat, Option, Question } from './task-forms.ts'

/** A question with several options, of which one is right: an item of HellaSwag, say, or of the built-in world. */
export interface Item extends Question {
  /** Its place in the set, which is also how the items of two models are paired. */
  readonly index: number
}

/**
 * Reads the items of a data set, a JSON object a line, and words them as the convention does. Blank lines are skipped.
 * Failures: FILE_MISSING, FILE_NOT_UTF8, ITEMS_EMPTY, and ITEMS_INVALID, placed at the first wrong line and naming more.
 */
export function readItems(file: string, format: ItemFormat, convention: Convention): Result<Item[], Failure> {
  const questions = readLines(file, forms[format], convention)
  return questions.ok ? ok(questions.value.map((question, index) => ({ index, ...question }))) : questions
}

/** Reads LAMBADA: texts, each with the word that ends it. Failures: those of `readItems`. */
export function readLastWords(file: string): Result<Option[], Failure> {
  return readLines(file, lastWords, 'plain')
}

interface Mistake {
  readonly line: number
  readonly text: string
  readonly what: string
}

function readLines<T>(file: string, form: Form<T>, convention: Convention): Result<T[], Failure> {
  try {
    return parseLines(file, form, convention)
  } catch (error) {
    if (error instanceof Failure) return err(error)
    throw error
  }
}

function parseLines<T>(file: string, form: Form<T>, convention: Convention): Result<T[], Failure> {
  const found: T[] = []
  const mistakes: Mistake[] = []
  readText(file)
    .split(/\r?\n/)
    .forEach((text, at) => {
      if (text.trim() === '') return
      const one = parseLine(text, form, convention)
      if (typeof one === 'string') mistakes.push({ line: at + 1, text, what: one })
      else found.push(one)
    })
  if (mistakes.length > 0) return err(invalid(file, form, mistakes))
  if (found.length > 0) return ok(found)
  return err(new Failure('ITEMS_EMPTY', `"${file}" holds no items: expected a JSON object a line.`))
}

function parseLine<T>(text: string, { read }: Form<T>, convention: Convention): T | string {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return 'it is not valid JSON'
  }
  return isRecord(json) ? read(json, convention) : 'it is not a JSON object'
}

function invalid(file: string, { title, expected }: Form<unknown>, mistakes: readonly Mistake[]): Failure {
  const shown = mistakes.slice(0, 5).map(({ line, what }) => `line ${line}: ${what}`)
  if (mistakes.length > 5) shown.push(`and ${mistakes.length - 5} more`)
  const message = `"${file}" is not in ${title}'s form: ${shown.join('; ')}. A line has ${expected}.`
  const { line, text } = mistakes[0]!
  return new Failure('ITEMS_INVALID', message, { place: { file, line, column: 1, text } })
}
