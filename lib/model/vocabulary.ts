import { join } from 'node:path'
import { isFile } from '../data/read.ts'
import { loadTokenizer } from '../data/tokenizer.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { Tokens } from '../data/tokens.ts'
import { Failure } from '../util/failure.ts'
import type { GptConfig } from './config.ts'

/**
 * The tokens must be those that the model was made for: its own tokenizer's vocabulary and merges where its folder has
 * one, compared by content, and never an id past its embedding. Gives that tokenizer. Throws Failure VOCABULARY_DIFFERS.
 */
export async function checkVocabulary(
  folder: string,
  config: GptConfig,
  tokens: Tokens,
): Promise<Tokenizer | undefined> {
  if (tokens.vocabSize > config.vocabSize) {
    throw differs(folder, `its embedding has ${config.vocabSize} rows, the tokens' vocabulary ${tokens.vocabSize}`)
  }
  if (!['tokenizer.json', 'vocab.json'].some((name) => isFile(join(folder, name)))) return undefined
  const tokenizer = await loadTokenizer(folder)
  const { digest, vocabSize } = tokenizer
  if (digest === tokens.tokenizerDigest) return tokenizer
  const sizes =
    vocabSize === tokens.vocabSize ? `both of ${vocabSize} tokens` : `${vocabSize} and ${tokens.vocabSize} tokens`
  const digests = `${digest.slice(0, 12)} and ${tokens.tokenizerDigest.slice(0, 12)}`
  throw differs(folder, `its tokenizer and the one that the text was encoded with differ (${sizes}; ${digests})`)
}

function differs(folder: string, why: string): Failure {
  const advice = 'Teacher and student must share one vocabulary: choose models of the same tokenizer.'
  return new Failure('VOCABULARY_DIFFERS', `The model in "${folder}" does not fit the tokens: ${why}. ${advice}`)
}
