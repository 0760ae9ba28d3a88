import type { Convention } from '../data/task-forms.ts'
import type { Item } from '../data/tasks.ts'
import { estimateOf, meanOf } from './estimate.ts'
import type { Estimate } from './estimate.ts'
import { firstBest } from './items.ts'

export interface ItemScores {
  readonly count: number
  /** Share of items whose option of the highest summed log-probability is the right one. */
  readonly acc: number
  /** The same by the summed log-probability divided by the ending's length, in what the convention measures it in. */
  readonly accNorm: number
  readonly standardError: { readonly acc: number; readonly accNorm: number }
  /** acc and both kinds of accNorm, whatever the convention. */
  readonly estimates: Readonly<Record<Measure, Estimate>>
  /** By the items' activity, in the order of its name; of items without one there is none. */
  readonly activities: readonly ActivityScores[]
  /** One entry per item, in the order of the items. */
  readonly results: readonly ItemResult[]
  /** How items were turned into rows and scored, in words. */
  readonly convention: string
}

export type Measure = 'acc' | 'accNormByTokens' | 'accNormByCharacters'

export interface ActivityScores {
  readonly activity: string
  readonly count: number
  readonly acc: number
  readonly accNorm: number
}

export interface ItemResult {
  readonly label: number
  readonly choice: number
  readonly choiceNorm: number
  /** Summed log-probability of each option's ending, nats. */
  readonly logProbs: readonly number[]
  /** Tokens of each ending. */
  readonly tokens: readonly number[]
  /** Characters (code points) of each ending, without the space before it. */
  readonly characters: readonly number[]
}

/** What the log-probabilities and tokens of an item's endings make of it. */
export function resultOf(
  { label, options }: Item,
  logProbs: readonly number[],
  tokens: readonly number[],
  convention: Convention,
): ItemResult {
  const characters = options.map(({ ending }) => Array.from(ending).length)
  const norms = { accNormByTokens: best(logProbs, tokens), accNormByCharacters: best(logProbs, characters) }
  return { label, choice: firstBest(logProbs), choiceNorm: norms[norm[convention]], logProbs, tokens, characters }
}

/** `cut`: how many items' context lost its first tokens. */
export function summarise(
  items: readonly Item[],
  results: readonly ItemResult[],
  convention: Convention,
  cut: number,
): ItemScores {
  const estimates = {
    acc: estimateOf(share(results, ({ choice }) => choice)),
    accNormByTokens: estimateOf(share(results, ({ logProbs, tokens }) => best(logProbs, tokens))),
    accNormByCharacters: estimateOf(share(results, ({ logProbs, characters }) => best(logProbs, characters))),
  }
  const accNorm = estimates[norm[convention]]
  return {
    count: results.length,
    acc: estimates.acc.value,
    accNorm: accNorm.value,
    standardError: { acc: estimates.acc.standardError, accNorm: accNorm.standardError },
    estimates,
    activities: activitiesOf(items, results),
    results,
    convention: `${words[convention]}${cutWords(cut)}.`,
  }
}

/** What a convention calls accNorm. */
const norm = { plain: 'accNormByTokens', harness: 'accNormByCharacters' } as const satisfies Record<Convention, Measure>

const best = (logProbs: readonly number[], lengths: readonly number[]): number =>
  firstBest(logProbs.map((logProb, n) => logProb / lengths[n]!))

const share = (results: readonly ItemResult[], choice: (result: ItemResult) => number): readonly number[] =>
  results.map((result) => Number(choice(result) === result.label))

function activitiesOf(items: readonly Item[], results: readonly ItemResult[]): ActivityScores[] {
  const names = [...new Set(items.flatMap(({ activity }) => activity ?? []))].sort()
  return names.map((activity) => {
    const own = results.filter((_, n) => items[n]!.activity === activity)
    const acc = meanOf(share(own, ({ choice }) => choice))
    return { activity, count: own.length, acc, accNorm: meanOf(share(own, ({ choiceNorm }) => choiceNorm)) }
  })
}

const words: Record<Convention, string> = {
  plain:
    'The context is taken verbatim and each ending encoded apart from it with a space before; acc takes the ending of the highest sum of log-probabilities, accNorm that of the highest mean over its tokens, the first one on ties',
  harness:
    'Context and ending are worded as lm-evaluation-harness words them and encoded together, the ending being the tokens beyond the context’s own; acc takes the ending of the highest sum of log-probabilities, accNorm that of the highest sum divided by its characters, the first one on ties',
}

export const cutWords = (cut: number): string => (cut === 0 ? '' : `; ${lostTokens(cut)}`)

export const lostTokens = (cut: number): string =>
  `${cut} ${cut === 1 ? 'context lost its' : 'contexts lost their'} first tokens to fit the position table`
