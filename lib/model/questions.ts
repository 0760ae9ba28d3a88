import type { Convention, ItemFormat } from '../data/task-forms.ts'
import { conventionMeanings, itemMeanings } from '../data/task-forms.ts'
import { choices } from '../util/choices.ts'
import { readItems } from '../data/tasks.ts'
import { loadTokenizer } from '../data/tokenizer.ts'
import type { Running } from './likelihood.ts'
import { scoreItems } from './score.ts'

/** Parameters of a stage that asks items while it trains. */
export const questionProperties = {
  items: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'items of `tasks` that are asked at each validation, from the first on; 0: all',
  },
  format: {
    ...choices(itemMeanings),
    default: 'hellaswag',
    description: 'data set whose form the items of `tasks` have',
  },
  convention: {
    ...choices(conventionMeanings),
    default: 'plain',
    description: 'by which items are worded, encoded and scored',
  },
} as const

export interface QuestionParams {
  readonly items: number
  readonly format: ItemFormat
  readonly convention: Convention
}

/** The share of items that a model gets right by accNorm. */
export type Ask = (model: Running) => Promise<number>

/** Reads the items of a file for a model whose tokenizer lies in `folder`. Throws what `readItems` fails with. */
export async function questions(
  file: string,
  folder: string,
  { items: limit, format, convention }: QuestionParams,
  signal: AbortSignal,
): Promise<Ask> {
  const read = readItems(file, format, convention)
  if (!read.ok) throw read.error
  const items = limit === 0 ? read.value : read.value.slice(0, limit)
  const tokenizer = await loadTokenizer(folder)
  const hooks = { signal, onProgress: (): void => undefined }
  return async (model) => (await scoreItems(model, tokenizer, items, { convention, batch: 8 }, hooks)).scores.accNorm
}
