import { isRecord } from '../util/json.ts'
import type { Json } from './task-lines.ts'

/** A line as a data set's authors or the hub have it, in the prepared form; what is no such line stays as it is. */
type Prepare = (line: Json) => Json | string

/**
 * OpenBookQA and ARC: on the hub `question_stem` or `question`, `choices` of `text` and `label`, `answerKey`; in the
 * authors' files `question` of `stem` and `choices`, each with `text` and `label`.
 */
export const prepareChoices: Prepare = (line) => {
  const { question, question_stem: stem = question, choices, answerKey } = line
  if (isRecord(question)) return lettered(question['stem'], question['choices'], answerKey)
  return stem === undefined ? line : lettered(stem, choices, answerKey)
}

/** `goal`, `sol1`, `sol2`, `label`. */
export const preparePiqa: Prepare = (line) => {
  const { goal, sol1, sol2, label } = line
  return goal === undefined ? line : { query: goal, choices: [sol1, sol2], gold: label }
}

const connectors: Readonly<Record<string, string>> = { cause: 'because', effect: 'therefore' }

/** `premise`, `question` (cause or effect), `choice1`, `choice2`, `label`: one sentence, as the harness joins them. */
export const prepareCopa: Prepare = (line) => {
  const { premise, question, choice1, choice2, label } = line
  if (typeof premise !== 'string') return line
  const connector = typeof question === 'string' ? connectors[question] : undefined
  if (connector === undefined) return `"question" must be cause or effect, found ${JSON.stringify(question)}`
  const small = (text: unknown): unknown =>
    typeof text === 'string' ? text.slice(0, 1).toLowerCase() + text.slice(1) : text
  return { query: `${premise.trim().slice(0, -1)} ${connector}`, choices: [choice1, choice2].map(small), gold: label }
}

/** `sentence` with a blank `_`, `option1`, `option2`, `answer` (1 or 2). */
export const prepareWinogrande: Prepare = (line) => {
  const { sentence, option1, option2, answer } = line
  if (typeof sentence !== 'string') return line
  const blank = sentence.indexOf('_')
  if (blank < 0) return '"sentence" must have a blank, _'
  const filled = (option: unknown): unknown => (typeof option === 'string' ? sentence.slice(0, blank) + option : option)
  const gold = ['1', '2'].indexOf(String(answer))
  if (gold < 0) return `"answer" must be 1 or 2, found ${JSON.stringify(answer)}`
  return { context_options: [option1, option2].map(filled), continuation: sentence.slice(blank + 1).trim(), gold }
}

/** `text`, whose last word is asked for. */
export const prepareLambada: Prepare = (line) => {
  const { text } = line
  if (typeof text !== 'string') return line
  const at = text.lastIndexOf(' ')
  return { context: text.slice(0, Math.max(at, 0)), continuation: text.slice(at + 1) }
}

function lettered(query: unknown, choices: unknown, key: unknown): Json | string {
  const named = columnsOf(choices)
  if (!named) {
    const found = JSON.stringify(choices) as string | undefined
    return `"choices" must have a text and a label each, found ${found?.slice(0, 80) ?? 'none'}`
  }
  const gold = typeof key === 'string' ? named.labels.indexOf(key.trim()) : -1
  if (gold >= 0) return { query, choices: named.texts, gold }
  return `"answerKey" must be one of ${named.labels.join(', ')}, found ${JSON.stringify(key)}`
}

/** Of two lists, or of a list of pairs. */
function columnsOf(choices: unknown): { texts: readonly unknown[]; labels: readonly unknown[] } | undefined {
  if (Array.isArray(choices)) {
    const pairs: readonly unknown[] = choices
    if (!pairs.every(isRecord)) return undefined
    return { texts: pairs.map(({ text }) => text), labels: pairs.map(({ label }) => label) }
  }
  if (!isRecord(choices)) return undefined
  const { text, label } = choices
  return Array.isArray(text) && Array.isArray(label) && text.length === label.length
    ? { texts: text, labels: label }
    : undefined
}
