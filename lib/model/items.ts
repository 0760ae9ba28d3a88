import type { Option } from '../data/task-forms.ts'
import type { Item } from '../data/tasks.ts'

export interface Baseline {
  readonly name: string
  readonly acc: number
}

/**
 * What rules that understand nothing reach on these items; of equal endings the first is taken. They look at endings: of
 * items that tell their options apart by the context, as WinoGrande's do, there are none.
 */
export function baselinesOf(items: readonly Item[]): Baseline[] {
  if (items.every(({ options }) => options.every(({ ending }) => ending === options[0]!.ending))) return []
  const acc = (rule: Rule): number =>
    items.filter(({ options, label }) => firstBest(options.map(rule)) === label).length / items.length
  return [
    { name: 'The longest ending', acc: acc(({ ending }) => ending.length) },
    { name: 'The ending whose last word was mentioned last in the context', acc: acc(lastMention) },
  ]
}

/** Index of the greatest value, the first of equal ones. */
export const firstBest = (values: readonly number[]): number => values.indexOf(Math.max(...values))

type Rule = (option: Option) => number

const lastMention: Rule = ({ context, ending }) => {
  const last = wordsOf(ending).at(-1)
  return last === undefined ? -1 : wordsOf(context).lastIndexOf(last)
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu) ?? []
