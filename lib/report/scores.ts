import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { count, DecodeError, flag, list, nullable, number, object, optional, refuse, text } from './decode.ts'
import type { Decoder } from './decode.ts'

/** What the evaluate stage says of one model: the content of `scores.json`. */
export interface Scores {
  /** For people: `GPT-Neo, 4 layers, 128 wide`. */
  readonly model: string
  /** Number of trained values, a tied tensor counted once. */
  readonly parameters: number
  readonly perplexity: Perplexity
  /** null where there were no items to score. */
  readonly items: ItemScores | null
  /** How the model ends texts, where it was asked that (LAMBADA). */
  readonly lastWords?: LastWordScores
  readonly samples: readonly Sample[]
  /** What simple rules reach on the same items: `{ name: 'the last place named', acc: 0.31 }`. */
  readonly baselines?: readonly Baseline[]
}

export interface Perplexity {
  /** exp(nll / tokens), per token. */
  readonly value: number
  /** Tokens predicted, each once. */
  readonly tokens: number
  /** Sum of the negative log-likelihoods of these tokens, in nats. */
  readonly nll: number
  readonly context: number
  readonly stride: number
  /** `test`, `validation`. */
  readonly split: string
  /** Words of the text, as white space separates them, and exp(nll / words). */
  readonly words?: number
  readonly valuePerWord?: number
  /** The same sum by document: what paired tests resample. */
  readonly documents?: readonly DocumentLoss[]
  readonly calibration?: Calibration
}

/** How often the likeliest token was right, by how likely it was. */
export interface Calibration {
  readonly bins: readonly { readonly count: number; readonly confidence: number; readonly accuracy: number }[]
  /** Expected calibration error, a share. */
  readonly error: number
}

export interface DocumentLoss {
  readonly tokens: number
  /** Nats, summed over the document's tokens. */
  readonly nll: number
}

export interface ItemScores {
  readonly count: number
  /** Share of items whose ending of the highest summed log-probability is the right one. */
  readonly acc: number
  /** The same by the normalised log-probability that `convention` names. */
  readonly accNorm: number
  readonly standardError: { readonly acc: number; readonly accNorm: number }
  /** acc and accNorm by either length, whichever the convention takes. */
  readonly estimates?: Readonly<Record<'acc' | 'accNormByTokens' | 'accNormByCharacters', Estimate>>
  /** The two shares by the items' activity. */
  readonly activities?: readonly ActivityScores[]
  /** One entry per item, in the order of the task file. */
  readonly results: readonly ItemResult[]
  /** How items were turned into rows and scored, in words. */
  readonly convention: string
}

export interface ItemResult {
  /** Index of the right ending. */
  readonly label: number
  readonly choice: number
  readonly choiceNorm: number
  /** Summed log-probability of each ending, nats. */
  readonly logProbs: readonly number[]
  /** Tokens, and characters, of each ending. */
  readonly tokens: readonly number[]
  readonly characters?: readonly number[]
}

/** A mean over items, with a bootstrap interval of 95 %. */
export interface Estimate {
  readonly value: number
  readonly standardError: number
  readonly low: number
  readonly high: number
}

export interface ActivityScores {
  readonly activity: string
  readonly count: number
  readonly acc: number
  readonly accNorm: number
}

export interface LastWordScores {
  readonly count: number
  /** Share of texts whose last word is what the model finds likeliest. */
  readonly acc: Estimate
  /** Of the last words, by word. */
  readonly perplexity: { readonly value: number; readonly low: number; readonly high: number }
  readonly results: readonly LastWordResult[]
  readonly convention: string
}

export interface LastWordResult {
  readonly right: boolean
  /** Summed log-probability of the word's tokens, nats. */
  readonly logProb: number
  readonly tokens: number
}

export interface Sample {
  readonly prompt: string
  readonly continuation: string
}

export interface Baseline {
  readonly name: string
  readonly acc: number
}

/** Reads and checks `scores.json`, given by its own path or its folder's. Codes: SCORES_MISSING, SCORES_INVALID. */
export const readScores = async (path: string): Promise<Result<Scores, Failure>> => {
  let file = path
  let source: string
  try {
    if ((await stat(path)).isDirectory()) file = join(path, 'scores.json')
    source = await readFile(file, 'utf8')
  } catch (cause) {
    return err(
      new Failure('SCORES_MISSING', `Scores "${file}" cannot be read: ${(cause as Error).message}`, {
        cause,
        exitCode: 1,
      }),
    )
  }
  try {
    return ok(parseScores(JSON.parse(source)))
  } catch (cause) {
    if (!(cause instanceof DecodeError || cause instanceof SyntaxError)) throw cause
    const advice = 'Run the stage that scores this model again.'
    return err(new Failure('SCORES_INVALID', `Scores "${file}": ${cause.message}. ${advice}`, { cause, exitCode: 1 }))
  }
}

/** Checks a parsed `scores.json`; throws DecodeError. Sums are checked against the entries they were made from. */
export const parseScores = (value: unknown): Scores => {
  const scores = scoresObject(value, '')
  checkPerplexity(scores.perplexity)
  if (scores.items !== null) checkItems(scores.items)
  if (scores.lastWords !== undefined) checkLastWords(scores.lastWords)
  return scores
}

const documentLoss = object<DocumentLoss>({ tokens: count, nll: number })
const calibration = object<Calibration>({
  bins: list(object<Calibration['bins'][number]>({ count, confidence: number, accuracy: number })),
  error: number,
})
const perplexity = object<Perplexity>({
  value: number,
  tokens: count,
  nll: number,
  context: count,
  stride: count,
  split: text,
  words: optional(count),
  valuePerWord: optional(number),
  documents: optional(list(documentLoss)),
  calibration: optional(calibration),
})
const itemResult: Decoder<ItemResult> = object<ItemResult>({
  label: count,
  choice: count,
  choiceNorm: count,
  logProbs: list(number),
  tokens: list(count),
  characters: optional(list(count)),
})
const estimate = object<Estimate>({ value: number, standardError: number, low: number, high: number })
const itemScores = object<ItemScores>({
  count,
  acc: number,
  accNorm: number,
  standardError: object<ItemScores['standardError']>({ acc: number, accNorm: number }),
  estimates: optional(
    object<NonNullable<ItemScores['estimates']>>({
      acc: estimate,
      accNormByTokens: estimate,
      accNormByCharacters: estimate,
    }),
  ),
  activities: optional(list(object<ActivityScores>({ activity: text, count, acc: number, accNorm: number }))),
  results: list(itemResult),
  convention: text,
})
const lastWordScores = object<LastWordScores>({
  count,
  acc: estimate,
  perplexity: object<LastWordScores['perplexity']>({ value: number, low: number, high: number }),
  results: list(object<LastWordResult>({ right: flag, logProb: number, tokens: count })),
  convention: text,
})
const scoresObject = object<Scores>({
  model: text,
  parameters: count,
  perplexity,
  items: nullable(itemScores),
  lastWords: optional(lastWordScores),
  samples: list(object<Sample>({ prompt: text, continuation: text })),
  baselines: optional(list(object<Baseline>({ name: text, acc: number }))),
})

const checkPerplexity = ({ value, tokens, nll, documents, words, valuePerWord, ...rest }: Perplexity): void => {
  if (tokens === 0) refuse('perplexity.tokens', 'at least 1', tokens)
  agree('perplexity.value', Math.exp(nll / tokens), value)
  if (words !== undefined && valuePerWord !== undefined)
    agree('perplexity.valuePerWord', Math.exp(nll / words), valuePerWord)
  if (rest.calibration) agree('perplexity.calibration', tokens, sum(rest.calibration.bins.map((bin) => bin.count)))
  if (documents === undefined) return
  agree('perplexity.documents', tokens, sum(documents.map((document) => document.tokens)))
  agree('perplexity.documents', nll, sum(documents.map((document) => document.nll)))
}

const checkItems = (items: ItemScores): void => {
  if (items.count === 0) refuse('items.count', 'at least 1 (or items: null)', 0)
  if (items.results.length !== items.count) refuse('items.results', `${items.count} entries`, items.results.length)
  items.results.forEach(checkResult)
  agree('items.acc', sum(items.results.map((r) => Number(r.choice === r.label))) / items.count, items.acc)
  agree('items.accNorm', sum(items.results.map((r) => Number(r.choiceNorm === r.label))) / items.count, items.accNorm)
}

const checkLastWords = ({ count: texts, acc, perplexity: { value }, results }: LastWordScores): void => {
  if (texts === 0) refuse('lastWords.count', 'at least 1 (or no lastWords)', 0)
  if (results.length !== texts) refuse('lastWords.results', `${texts} entries`, results.length)
  agree('lastWords.acc.value', sum(results.map(({ right }) => Number(right))) / texts, acc.value)
  agree('lastWords.perplexity.value', Math.exp(-sum(results.map(({ logProb }) => logProb)) / texts), value)
}

const checkResult = ({ label, choice, choiceNorm, logProbs, tokens }: ItemResult, index: number): void => {
  const at = `items.results[${index}]`
  const endings = logProbs.length
  if (endings < 2) refuse(`${at}.logProbs`, 'at least two endings', endings)
  if (tokens.length !== endings) refuse(`${at}.tokens`, `${endings} entries`, tokens.length)
  const beyond = Math.max(label, choice, choiceNorm)
  if (beyond >= endings) refuse(at, `label and choices below ${endings}`, beyond)
}

/** Sums may be made in another order: 1e-6 relative is far above rounding and far below what a reader sees. */
const agree = (at: string, expected: number, found: number): void => {
  const tolerance = 1e-6 * Math.max(1, Math.abs(expected))
  if (!(Math.abs(expected - found) <= tolerance)) refuse(at, `${expected}, which its entries give`, found)
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
