import type { Item } from '../data/tasks.ts'

export interface Baseline {
  readonly name: string
  readonly acc: number
}

/** What rules that understand nothing reach on these items; of equal endings the first is taken. */
export function baselinesOf(items: readonly Item[]): Baseline[] {
  const acc = (rule: Rule): number =>
    items.filter((item) => firstBest(item.endings.map((ending) => rule(ending, item))) === item.label).length /
    items.length
  return [
    { name: 'The longest ending', acc: acc((ending) => ending.length) },
    { name: 'The ending whose last word was mentioned last in the context', acc: acc(lastMention) },
  ]
}

/** Index of the greatest value, the first of equal ones. */
export const firstBest = (values: readonly number[]): number => values.indexOf(Math.max(...values))

type Rule = (ending: string, item: Item) => number

const lastMention: Rule = (ending, { context }) => {
  const last = wordsOf(ending).at(-1)
  return last === undefined ? -1 : wordsOf(context).lastIndexOf(last)
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu) ?? []
