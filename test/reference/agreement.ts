import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ItemFormat } from '../../lib/data/task-forms.ts'
import { readItems, readLastWords } from '../../lib/data/tasks.ts'
import type { Tokenizer } from '../../lib/data/tokenizer.ts'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import type { Engine } from '../../lib/engine/index.ts'
import { scoreLastWords } from '../../lib/model/last-words.ts'
import { hold } from '../../lib/model/likelihood.ts'
import type { Running } from '../../lib/model/likelihood.ts'
import { scoreItems } from '../../lib/model/score.ts'
import { loadModel } from '../../lib/model/weights.ts'

/** What the harness said of a set of items: `expected.json` of harness.py. */
interface Expected {
  readonly name: string
  readonly format: ItemFormat | 'lambada'
  readonly figures: Figures
  readonly items: readonly ExpectedItem[]
}

interface ExpectedItem {
  readonly logProbs: readonly number[]
  /** Of the greatest one. */
  readonly choice: number
  /** Whether the item counts as right; accNorm where the harness's task has it. */
  readonly acc: boolean
  readonly accNorm?: boolean
}

type Figures = Readonly<Partial<Record<Figure, number>>>
type Figure = 'acc' | 'acc_stderr' | 'acc_norm' | 'acc_norm_stderr' | 'perplexity'

export interface Agreement {
  readonly name: string
  readonly items: number
  /** Items with the harness's choice, its right and wrong, and its log-probabilities within the tolerance. */
  readonly agreeing: number
  /** Of log-probabilities. */
  readonly largestDifference: number
  /** The harness's figure and ours, by its name. */
  readonly figures: Readonly<Record<string, readonly [theirs: number, ours: number]>>
}

const tolerance = 1e-3

/** Our scores of what harness.py wrote to a folder, beside the harness's. */
export async function agreementOf(folder: string, engine: Engine): Promise<Agreement[]> {
  const { sets } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as { sets: Expected[] }
  const model = hold(engine, await loadModel(join(folder, 'model')))
  const tokenizer = await loadTokenizer(join(folder, 'model'))
  const found: Agreement[] = []
  for (const set of sets) {
    const ours = await scoreSet(model, tokenizer, join(folder, `${set.name}.jsonl`), set.format)
    found.push(compare(set, ours))
  }
  model.memory.dispose()
  return found
}

/** Of a perplexity, the difference is one in nats: sums of 40 nats and more have a resolution of 4e-6. */
export const sameFigure = (theirs: number, ours: number): boolean =>
  ours === theirs || Math.abs(ours / theirs - 1) < 1e-5

interface Ours {
  readonly items: readonly Required<ExpectedItem>[]
  readonly figures: Figures
}

const options = { convention: 'harness', batch: 8 } as const
const hooks = { signal: new AbortController().signal, onProgress: () => undefined }

async function scoreSet(model: Running, tokenizer: Tokenizer, file: string, format: Expected['format']): Promise<Ours> {
  if (format === 'lambada') {
    const texts = readLastWords(file)
    if (!texts.ok) throw texts.error
    const { results, acc, perplexity } = await scoreLastWords(model, tokenizer, texts.value, options, hooks)
    const items = results.map(({ logProb, right }) => ({ logProbs: [logProb], choice: 0, acc: right, accNorm: right }))
    return { items, figures: { acc: acc.value, acc_stderr: acc.standardError, perplexity: perplexity.value } }
  }
  const read = readItems(file, format, 'harness')
  if (!read.ok) throw read.error
  const { scores } = await scoreItems(model, tokenizer, read.value, options, hooks)
  const items = scores.results.map(({ label, choice, choiceNorm, logProbs }) => {
    return { logProbs, choice, acc: choice === label, accNorm: choiceNorm === label }
  })
  const { acc, accNorm, standardError } = scores
  const errors = { acc_stderr: standardError.acc, acc_norm_stderr: standardError.accNorm }
  return { items, figures: { acc, acc_norm: accNorm, ...errors } }
}

function compare({ name, items: theirs, figures }: Expected, ours: Ours): Agreement {
  if (ours.items.length !== theirs.length) throw new Error(`${name}: ${ours.items.length} items, not ${theirs.length}`)
  const differences = theirs.map(({ logProbs }, n) => largestOf(logProbs, ours.items[n]!.logProbs))
  const agreeing = theirs.filter(({ choice, acc, accNorm }, n) => {
    const own = ours.items[n]!
    const same = own.choice === choice && own.acc === acc && (accNorm === undefined || own.accNorm === accNorm)
    return same && differences[n]! <= tolerance
  }).length
  const names = Object.keys(figures) as Figure[]
  return {
    name,
    items: theirs.length,
    agreeing,
    largestDifference: Math.max(...differences),
    figures: Object.fromEntries(names.map((figure) => [figure, [figures[figure]!, ours.figures[figure]!]])),
  }
}

function largestOf(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Infinity
  return Math.max(...a.map((value, n) => Math.abs(value - b[n]!)))
}
