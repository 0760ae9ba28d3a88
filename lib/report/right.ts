import type { Scores } from './scores.ts'

/**
 * Item by item, whether the model got it right by that measure; null where it was not asked so. A last word is right or
 * not: it has no accNorm.
 */
export const rightBy = ({ items, lastWords }: Scores, measure: 'acc' | 'accNorm'): readonly boolean[] | null => {
  if (items !== null) {
    const choice = measure === 'acc' ? 'choice' : 'choiceNorm'
    return items.results.map((result) => result[choice] === result.label)
  }
  return lastWords !== undefined && measure === 'acc' ? lastWords.results.map(({ right }) => right) : null
}
