import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Item } from '../../lib/data/tasks.ts'
import { loadTokenizer } from '../../lib/data/tokenizer.ts'
import type { Tokenizer } from '../../lib/data/tokenizer.ts'

/** Writes a tokenizer of `count` words, "w0" with the id 0 and so on, and an end-of-text token after them. */
export function writeWords(folder: string, count: number): Promise<Tokenizer> {
  mkdirSync(folder, { recursive: true })
  const words = Array.from({ length: count }, (_, id) => textOf([id]))
  const vocab = Object.fromEntries([...words, eosText].map((word, id) => [word, id]))
  const spec = {
    version: '1.0',
    added_tokens: [{ id: count, content: eosText, special: true, ...plain }],
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab, unk_token: 'w0' },
  }
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(spec))
  return loadTokenizer(folder)
}

/** The text of these words. */
export const textOf = (ids: readonly number[]): string => ids.map((id) => `w${id}`).join(' ')

export interface ItemIds {
  readonly context: readonly number[]
  readonly endings: readonly (readonly number[])[]
}

export const itemOf = ({ context, endings }: ItemIds, index: number): Item => ({
  index,
  options: endings.map((ending) => ({ context: textOf(context), ending: textOf(ending) })),
  label: index % 4,
})

const eosText = '<|endoftext|>'
const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false }
