import { Tokenizer as Library } from '@huggingface/tokenizers'
import type { TokenizerSpec } from './tokenizer-spec.ts'
import { digestSpec, readTokenizerSpec, splitterOf, vocabularySize } from './tokenizer-spec.ts'
import { Failure } from '../util/failure.ts'

export interface Tokenizer {
  /**
   * Ids of a text. Special tokens (`<|endoftext|>`) written in it are ordinary characters, unless `special` says that
   * the text may hold them. Nothing is added before or after.
   * Throws `Failure` TOKENIZER_NO_TOKEN for a character that the vocabulary cannot express. A lone surrogate, which is
   * no text, becomes U+FFFD.
   */
  readonly encode: (text: string, options?: { special?: boolean }) => number[]
  readonly decode: (ids: ArrayLike<number>) => string
  /** The largest id + 1. */
  readonly vocabSize: number
  /** The end-of-text token. */
  readonly eos: number
  /** Of the content (vocabulary, merges, added tokens, how text is split), not of the files. */
  readonly digest: string
}

/**
 * The tokenizer of a model folder: `tokenizer.json`, or `vocab.json` and `merges.txt` (GPT-2's byte-level BPE).
 * Rejects with `Failure` FILE_MISSING, FILE_NOT_JSON, TOKENIZER_INVALID, TOKENIZER_NO_EOS.
 */
export function loadTokenizer(folder: string): Promise<Tokenizer> {
  return Promise.resolve().then(() => {
    const { spec, eos } = readTokenizerSpec(folder)
    let digest: string | undefined
    return {
      encode: makeEncode(folder, spec),
      decode: makeDecode(folder, spec),
      vocabSize: vocabularySize(spec),
      eos,
      get digest() {
        return (digest ??= digestSpec(spec))
      },
    }
  })
}

/** Pieces longer than this are rare: not worth a place in the cache. */
const longestCached = 64
const cacheSize = 200_000

/**
 * Encodes piece by piece, each piece once: text is a few words over and over. Exact, because the library itself encodes
 * piece by piece after it has split the text the same way.
 */
function makeEncode(folder: string, spec: TokenizerSpec): Tokenizer['encode'] {
  const { split, rest } = splitterOf(spec)
  const library = create(folder, rest)
  const cache = new Map<string, readonly number[]>()
  const specials = new Map(spec.added_tokens.filter((one) => one.special).map((one) => [one.content, one.id]))
  const encodePiece = (piece: string): readonly number[] => {
    const known = cache.get(piece)
    if (known) return known
    const ids = encodeWhole(library, piece, rest)
    if (piece.length <= longestCached && cache.size < cacheSize) cache.set(piece, ids)
    return ids
  }
  const encode = (text: string, ids: number[]): number[] => {
    for (const piece of split(text)) for (const id of encodePiece(piece)) ids.push(id)
    return ids
  }
  const boundary = specialPattern([...specials.keys()])
  return (text, { special = false } = {}) => {
    if (!special || !boundary) return encode(text, [])
    const ids: number[] = []
    for (const part of text.split(boundary)) {
      const id = specials.get(part)
      if (id === undefined) encode(part, ids)
      else ids.push(id)
    }
    return ids
  }
}

/** Throws where the library would leave out, in silence, what it has no token for. */
function encodeWhole(library: Library, text: string, { model }: TokenizerSpec): readonly number[] {
  const { ids, tokens } = library.encode(text, { add_special_tokens: false })
  if (ids.every((id) => id !== undefined) && !isCut(library, text, tokens, model)) return ids
  const message = `The tokenizer has no token for part of ${JSON.stringify(text)}, and none for the unknown. Use a tokenizer that can express this text.`
  throw new Failure('TOKENIZER_NO_TOKEN', message)
}

function isCut(library: Library, text: string, tokens: readonly string[], model: TokenizerSpec['model']): boolean {
  if (library.normalizer || !library.pre_tokenizer || model.unk_token != null || model['byte_fallback']) return false
  const length = (parts: readonly string[]) => parts.reduce((sum, part) => sum + part.length, 0)
  return length(tokens) < length(library.pre_tokenizer(text))
}

function makeDecode(folder: string, spec: TokenizerSpec): Tokenizer['decode'] {
  // without merges: decoding needs none, and their table is what makes a tokenizer slow to build
  const model = spec.model.merges ? { ...spec.model, merges: [] } : spec.model
  let library: Library | undefined
  return (ids) => {
    if (ids.length === 0) return ''
    library ??= create(folder, { ...spec, model })
    return library.decode(Array.from(ids), { skip_special_tokens: false, clean_up_tokenization_spaces: false })
  }
}

function create(folder: string, spec: TokenizerSpec): Library {
  try {
    return new Library(spec, { unk_token: spec.model.unk_token })
  } catch (cause) {
    const message = `The tokenizer in "${folder}" cannot be used: ${cause instanceof Error ? cause.message : String(cause)}.`
    throw new Failure('TOKENIZER_INVALID', message, { cause })
  }
}

/** Longest first, so that of two tokens that begin alike the longer one is seen. */
function specialPattern(contents: readonly string[]): RegExp | undefined {
  if (contents.length === 0) return undefined
  const escaped = [...contents]
    .sort((a, b) => b.length - a.length)
    .map((content) => content.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`(${escaped.join('|')})`)
}
