import { readCorpus, splitDocuments } from '../lib/data/corpus.ts'
import type { Split, SplitName } from '../lib/data/tokens.ts'
import { encodeSplit, splitNames, writeTokens } from '../lib/data/tokens.ts'
import { loadTokenizer } from '../lib/data/tokenizer.ts'
import { defineStage } from '../lib/pipeline/stage.ts'

/** Text to one stream of token ids a split, documents one after another. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      separator: {
        enum: ['eos', 'none'],
        default: 'eos',
        description: 'what ends a document: the end-of-text token, or nothing, as published perplexities have it',
      },
      rows: {
        enum: ['anywhere', 'documents'],
        default: 'anywhere',
        description: 'where rows of the stream may end: anywhere, or where a document ends, if it fits into one',
      },
    },
  },
  in: ['corpus', 'tokenizer'],
  out: ['tokens'],
  async run({ with: { separator, rows }, in: from, out, log, progress }) {
    const corpus = readCorpus(from.corpus)
    if (!corpus.ok) throw corpus.error
    const tokenizer = await loadTokenizer(from.tokenizer)
    const encode = (name: SplitName): Split => {
      const documents = splitDocuments(corpus.value.splits[name], corpus.value.documents)
      const split = encodeSplit(tokenizer, documents, { name, separator, rows })
      log(`${name}: ${documents.length} documents, ${split.ids.length} tokens`)
      progress({ done: splitNames.indexOf(name) + 1, total: splitNames.length, unit: 'splits' })
      return split
    }
    const splits = { train: encode('train'), validation: encode('validation'), test: encode('test') }
    const { vocabSize, eos, digest } = tokenizer
    writeTokens(out.tokens, { vocabSize, eos, tokenizerDigest: digest, splits })
  },
})
