import type { Tokenizer } from './tokenizer.ts'
import type { Split, Tokens } from './tokens.ts'

/** Words of a text: what white space separates. */
export const countWords = (text: string): number => text.match(/\S+/g)?.length ?? 0

/**
 * Words of the first `length` tokens of a stream, which are decoded: those of the original text, where the tokenizer
 * keeps it as it was. No word reaches over the end of a document.
 */
export function wordsOf(tokenizer: Tokenizer, { ids, documents }: Split, eos: Tokens['eos'], length: number): number {
  let words = 0
  documents.forEach((start, n) => {
    const own = ids.subarray(start, Math.min(documents[n + 1] ?? ids.length, length))
    words += countWords(tokenizer.decode(own.at(-1) === eos ? own.subarray(0, -1) : own))
  })
  return words
}
