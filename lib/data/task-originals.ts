import { isRecord } from '../util/json.ts'
import { indexOf, isText, isTexts, shown, textsOf } from './task-fields.ts'
import type { Json } from './task-fields.ts'
import type { ContextsLine, LastWordLine, QuestionLine } from './task-lines.ts'

/**
 * OpenBookQA's and ARC's on the hub: the question, as `name`; `choices: { text, label }`, a list each; `answerKey`, one of
 * the labels, which are letters or digits.
 */
export const hubLine =
  (name: string) =>
  (line: Json): QuestionLine | string =>
    lettered(line, name, line['answerKey'])

/** The same in the authors' files: `question: { stem, choices: [{ text, label }] }`, `answerKey`. */
export function authorsLine({ question, answerKey }: Json): QuestionLine | string {
  if (!isRecord(question)) return `"question" must hold "stem" and "choices", found ${shown(question)}`
  return lettered({ ...question, choices: columnsOf(question['choices']) }, 'stem', answerKey)
}

/** PIQA's: `goal`, `sol1`, `sol2`, `label` (0 or 1). */
export function solutionsLine(line: Json): QuestionLine | string {
  const texts = textsOf(line, 'goal', 'sol1', 'sol2')
  if (typeof texts === 'string') return texts
  const gold = indexOf(line, 'label', 2)
  return typeof gold === 'string' ? gold : { query: texts.goal, choices: [texts.sol1, texts.sol2], gold }
}

/**
 * COPA's, of SuperGLUE: `premise`, `choice1`, `choice2`, `question` ("cause" or "effect"), `label` (0 or 1). Three
 * sentences become two of one each, as the harness joins them: the premise without its period goes on in a choice.
 */
export function copaLine(line: Json): QuestionLine | string {
  const texts = textsOf(line, 'premise', 'choice1', 'choice2')
  if (typeof texts === 'string') return texts
  const { question } = line
  if (question !== 'cause' && question !== 'effect') {
    return `"question" must be "cause" or "effect", found ${shown(question)}`
  }
  const gold = indexOf(line, 'label', 2)
  if (typeof gold === 'string') return gold
  const premise = texts.premise.trim().replace(/.$/u, '')
  const connector = { cause: 'because', effect: 'therefore' }[question]
  return { query: `${premise} ${connector}`, choices: [texts.choice1, texts.choice2].map(uncapitalize), gold }
}

/** WinoGrande's: `sentence` with a blank, "_"; `option1`, `option2`, one of which fills it; `answer` (1 or 2). */
export function blankLine(line: Json): ContextsLine | string {
  const texts = textsOf(line, 'sentence', 'option1', 'option2')
  if (typeof texts === 'string') return texts
  const [head = '', ...rest] = texts.sentence.split('_')
  const continuation = rest.join('_').trim()
  if (continuation === '') {
    return `"sentence" must have a blank, "_", and go on after it, found ${shown(texts.sentence)}`
  }
  const gold = indexOf(line, 'answer', 2, 1)
  if (typeof gold === 'string') return gold
  return { contexts: [texts.option1, texts.option2].map((option) => head + option), continuation, gold }
}

/** LAMBADA's, of OpenAI: `text`, whose last word is what follows the last space. */
export function textLine(line: Json): LastWordLine | string {
  const texts = textsOf(line, 'text')
  if (typeof texts === 'string') return texts
  const space = texts.text.lastIndexOf(' ')
  const [context, continuation] = [texts.text.slice(0, Math.max(space, 0)), texts.text.slice(space + 1)]
  if (context !== '' && continuation !== '') return { context, continuation }
  return `"text" must be several words, the last one after a space, found ${shown(texts.text)}`
}

function lettered(line: Json, name: string, answerKey: unknown): QuestionLine | string {
  const { [name]: query, choices } = line
  if (!isText(query)) return `"${name}" must be a text that is not empty, found ${shown(query)}`
  const { text, label }: Json = isRecord(choices) ? choices : {}
  if (!isTexts(text) || !isTexts(label) || text.length !== label.length) {
    return `"choices" must hold two texts or more, none empty, and a label for each, found ${shown(choices)}`
  }
  // some copies of OpenBookQA have a space before the key
  const gold = typeof answerKey === 'string' ? label.indexOf(answerKey.trimStart()) : -1
  return gold === -1
    ? `"answerKey" must be one of ${label.join(', ')}, found ${shown(answerKey)}`
    : { query, choices: text, gold }
}

/** A list of choices as lists of their texts and labels. */
function columnsOf(choices: unknown): unknown {
  if (!Array.isArray(choices) || !choices.every(isRecord)) return choices
  return { text: choices.map(({ text }) => text), label: choices.map(({ label }) => label) }
}

function uncapitalize(text: string): string {
  const [first = '', ...rest] = text
  return first.toLowerCase() + rest.join('')
}
