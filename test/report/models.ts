import type { CurvePoint } from '../../lib/report/curves.ts'
import type { ItemResult, Scores } from '../../lib/report/scores.ts'

/** Made-up scores for tests: who gets which item right follows from a counter, so that counts are known. */
export const makeScores = (options: {
  model?: string
  parameters?: number
  /** Per item: was the right ending chosen (by both measures)? null for a model without items. */
  right: readonly boolean[] | null
  /** Nats per token of each document; 100 tokens a document. */
  documents?: readonly number[]
  continuation?: string
}): Scores => {
  const documents = (options.documents ?? []).map((rate) => ({ tokens: 100, nll: 100 * rate }))
  const nll = documents.length === 0 ? 100 : documents.reduce((sum, document) => sum + document.nll, 0)
  const tokens = documents.length === 0 ? 100 : 100 * documents.length
  return {
    model: options.model ?? 'GPT-2, 2 layers, 64 wide',
    parameters: options.parameters ?? 218_000,
    perplexity: {
      value: Math.exp(nll / tokens),
      ...{ tokens, nll, context: 128, stride: 128, split: 'test' },
      ...(documents.length === 0 ? {} : { documents }),
    },
    items: options.right && makeItems(options.right),
    samples: PROMPTS.map((prompt) => ({
      prompt,
      continuation: options.continuation ?? ' the kitchen. Anna took the lamp.',
    })),
  }
}

const PROMPTS = ['Anna was in the garden. Ben went to', 'The lamp was with', 'Clara found the', 'Anna gave', 'Ben met']

const makeItems = (right: readonly boolean[]): Scores['items'] => {
  const results = right.map((isRight, i): ItemResult => {
    const label = i % 4
    const choice = isRight ? label : (label + 1) % 4
    return { label, choice, choiceNorm: choice, logProbs: [-9, -8, -7, -6], tokens: [5, 5, 5, 5] }
  })
  const acc = right.filter(Boolean).length / right.length
  const error = Math.sqrt((acc * (1 - acc)) / (right.length - 1))
  return {
    ...{ count: right.length, acc, accNorm: acc, standardError: { acc: error, accNorm: error }, results },
    convention: 'A story and four endings, the mean log-probability of an ending\u2019s tokens.',
  }
}

/** `count` answers of which about `share` are right; another `salt` spreads them otherwise. */
export const answers = (count: number, share: number, salt = 1): readonly boolean[] =>
  Array.from({ length: count }, (_, i) => spread(i, salt) < share)

/** Nats per token of `count` documents around `centre`. */
export const losses = (count: number, centre: number, salt = 1): readonly number[] =>
  Array.from({ length: count }, (_, i) => centre + 0.3 * (spread(i, 7) - 0.5) + 0.1 * (spread(i, salt) - 0.5))

/** A number in [0, 1) that looks drawn. */
const spread = (i: number, salt: number): number =>
  (Math.abs(Math.sin((i + 1) * 12.9898 + salt * 78.233)) * 43758.5453) % 1

export const makeCurve = (steps: number, from: number, to: number, distilled: boolean): readonly CurvePoint[] =>
  Array.from({ length: steps }, (_, i) => {
    const ce = to + (from - to) * Math.exp((-4 * i) / steps) + 0.15 * (spread(i, 3) - 0.5)
    const kl = distilled ? 0.9 * Math.exp((-3 * i) / steps) + 0.05 + 0.05 * spread(i, 5) : undefined
    const validationLoss = i % 50 === 49 ? to + 0.1 + (from - to) * Math.exp((-4 * i) / steps) : undefined
    return {
      ...{ step: i + 1, loss: kl === undefined ? ce : 0.7 * 4 * kl + 0.3 * ce, ce, rate: 2e-3, gradNorm: 1 },
      ...(kl === undefined ? {} : { terms: { 'forward-kl': kl } }),
      ...(validationLoss === undefined ? {} : { validationLoss }),
    }
  })
