import type { Convention, Option } from '../data/task-forms.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import { estimateOf } from './estimate.ts'
import type { Estimate } from './estimate.ts'
import { cutWords } from './item-scores.ts'
import type { Likelihoods, Running } from './likelihood.ts'
import { pairsOf } from './pairs.ts'
import type { ScoreHooks } from './perplexity.ts'
import { scoreTrees } from './rows.ts'
import type { Exam, ScoringOptions } from './score.ts'
import { treesOf } from './tree.ts'
import type { Tree } from './tree.ts'

/** How well a model ends texts: LAMBADA. */
export interface LastWordScores {
  readonly count: number
  /** Share of texts whose last word is, token by token, what the model finds likeliest. */
  readonly acc: Estimate
  /** exp of the mean negative log-likelihood of a word, and the bounds of its interval. */
  readonly perplexity: Pick<Estimate, 'value' | 'low' | 'high'>
  /** One entry per text, in their order. */
  readonly results: readonly LastWordResult[]
  /** How texts were turned into rows and scored, in words. */
  readonly convention: string
}

export interface LastWordResult {
  readonly right: boolean
  /** Summed log-probability of the word, nats. */
  readonly logProb: number
  readonly tokens: number
}

/** Throws Failure ITEM_EMPTY, ITEM_TOO_LONG, SCORE_NOT_FINITE. */
export async function scoreLastWords(
  model: Running,
  tokenizer: Tokenizer,
  texts: readonly Option[],
  { convention, batch }: ScoringOptions,
  hooks: ScoreHooks,
): Promise<LastWordScores> {
  const exam = lastWordExam(tokenizer, texts, { convention, positions: model.config.context })
  return exam.conclude(await scoreTrees(model, exam.trees, { batch, greedy: exam.greedy }, hooks))
}

/** Texts as an exam. Throws Failure ITEM_EMPTY, ITEM_TOO_LONG. */
export function lastWordExam(
  tokenizer: Tokenizer,
  texts: readonly Option[],
  { convention, positions }: { readonly convention: Convention; readonly positions: number },
): Exam<LastWordScores> {
  const asked = texts.map((text, index) => pairsOf(tokenizer, [text], { index, convention, positions }))
  const trees = asked.flatMap(({ pairs }) => treesOf(pairs))
  const cut = asked.filter((one) => one.cut).length
  return { trees, greedy: true, conclude: (found) => concluded(trees, found, cut) }
}

function concluded(trees: readonly Tree[], found: readonly Likelihoods[], cut: number): LastWordScores {
  const results = trees.map(({ scored }, n) => {
    const logProbs = Array.from(found[n]!.logProbs)
    const right = scored.every(({ label }, i) => found[n]!.likeliest[i] === label)
    return { right, logProb: logProbs.reduce((sum, one) => sum + one, 0), tokens: scored.length }
  })
  const loss = estimateOf(results.map(({ logProb }) => -logProb))
  return {
    count: results.length,
    acc: estimateOf(results.map(({ right }) => Number(right))),
    perplexity: { value: Math.exp(loss.value), low: Math.exp(loss.low), high: Math.exp(loss.high) },
    results,
    convention: `A word is right where each of its tokens is the likeliest one; its perplexity is exp of the mean negative log-likelihood of a word, whatever its tokens${cutWords(cut)}.`,
  }
}
