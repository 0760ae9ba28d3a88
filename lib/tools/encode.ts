import { loadTokenizer } from '../data/tokenizer.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { GptConfig } from '../model/config.ts'
import { Failure } from '../util/failure.ts'

/**
 * A text as a model reads it, and the tokenizer in its folder. Throws Failure VOCABULARY_DIFFERS where the model has no
 * embedding for one of the tokens, and of `loadTokenizer` and its `encode`.
 */
export async function encodeFor(
  { vocabSize }: GptConfig,
  folder: string,
  text: string,
): Promise<{ readonly ids: readonly number[]; readonly tokenizer: Tokenizer }> {
  const tokenizer = await loadTokenizer(folder)
  const ids = tokenizer.encode(text)
  const strange = ids.find((id) => id >= vocabSize)
  if (strange === undefined) return { ids, tokenizer }
  const message = `The tokenizer in "${folder}" makes token ${strange} of the text, but the model's ids are those from 0 to ${vocabSize - 1}. Give the model its own tokenizer.`
  throw new Failure('VOCABULARY_DIFFERS', message)
}
