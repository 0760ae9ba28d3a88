import { readCorpus, splitDocuments } from '../lib/data/corpus.ts'
import type { Split, SplitName } from '../lib/data/tokens.ts'
import { readEncoded, writeEncoded } from '../lib/data/token-parts.ts'
import { encodeDocuments, encodeSplit, joinEncoded, splitNames, writeTokens } from '../lib/data/tokens.ts'
import { loadTokenizer } from '../lib/data/tokenizer.ts'
import type { Tokenizer } from '../lib/data/tokenizer.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import { choices } from '../lib/util/choices.ts'

/** Text to one stream of token ids a split, documents one after another. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      separator: {
        ...choices({ eos: 'the end-of-text token', none: 'nothing, as published perplexities have it' }),
        default: 'eos',
        description: 'what ends a document in the stream of tokens',
      },
      rows: {
        ...choices({ anywhere: 'after any token', documents: 'where a document ends, if it fits into a row' }),
        default: 'anywhere',
        description: 'where rows of the stream may end',
      },
    },
  },
  in: ['corpus', 'tokenizer'],
  out: ['tokens'],
  async run({ with: { separator, rows }, in: from, out, log, progress }) {
    const documentsOf = readDocuments(from.corpus)
    const tokenizer = await loadTokenizer(from.tokenizer)
    const encode = (name: SplitName): Split => {
      const documents = documentsOf[name]
      const split = encodeSplit(tokenizer, documents, { name, separator, rows })
      log(`${name}: ${documents.length} documents, ${split.ids.length} tokens`)
      progress({ done: splitNames.indexOf(name) + 1, total: splitNames.length, unit: 'splits' })
      return split
    }
    write(out.tokens, tokenizer, encode)
  },
  shards: {
    unit: 'documents',
    units: ({ in: from }) => {
      const documents = readDocuments(from.corpus)
      return splitNames.reduce((sum, name) => sum + documents[name].length, 0)
    },
    async run({ with: { separator }, in: from, range, part, progress }) {
      const documents = readDocuments(from.corpus)
      const tokenizer = await loadTokenizer(from.tokenizer)
      let before = 0 // documents of earlier splits
      for (const name of splitNames) {
        const own = documents[name].slice(Math.max(0, range.from - before), Math.max(0, range.to - before))
        writeEncoded(part, name, encodeDocuments(tokenizer, own, separator))
        progress({ done: splitNames.indexOf(name) + 1, total: splitNames.length, unit: 'splits' })
        before += documents[name].length
      }
    },
    async merge({ with: { rows }, in: from, out, parts, log }) {
      const tokenizer = await loadTokenizer(from.tokenizer)
      write(out.tokens, tokenizer, (name) => {
        const encoded = parts.map((part) => readEncoded(part, name))
        const split = joinEncoded(encoded, tokenizer, { name, rows })
        log(`${name}: ${split.documents.length} documents, ${split.ids.length} tokens`)
        return split
      })
    },
  },
})

function readDocuments(folder: string): Readonly<Record<SplitName, string[]>> {
  const corpus = readCorpus(folder)
  if (!corpus.ok) throw corpus.error
  const { splits, documents } = corpus.value
  const of = (name: SplitName): string[] => splitDocuments(splits[name], documents)
  return { train: of('train'), validation: of('validation'), test: of('test') }
}

function write(folder: string, { vocabSize, eos, digest }: Tokenizer, split: (name: SplitName) => Split): void {
  const splits = { train: split('train'), validation: split('validation'), test: split('test') }
  writeTokens(folder, { vocabSize, eos, tokenizerDigest: digest, splits })
}
