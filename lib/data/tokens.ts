import { mkdirSync, statSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import type { Result } from '../util/result.ts'
import { err, ok } from '../util/result.ts'
import { digestParts } from './digest.ts'
import { publishFile } from './publish.ts'
import { isFile, readJson } from './read.ts'
import type { Tokenizer } from './tokenizer.ts'

export const splitNames = ['train', 'validation', 'test'] as const
export type SplitName = (typeof splitNames)[number]

/** One stream of tokens: its documents one after another. */
export interface Split {
  readonly ids: Uint16Array | Uint32Array
  /** Where each document begins in `ids`; the first at 0. */
  readonly documents: Uint32Array
  readonly rows: RowCut
  /** sha256 of all three. */
  readonly digest: string
}

/** Where rows of the stream may end: anywhere, or where a document ends, unless it alone is longer than a row. */
export type RowCut = 'anywhere' | 'documents'

/** A corpus as one tokenizer sees it. */
export interface Tokens {
  readonly vocabSize: number
  readonly eos: number
  readonly tokenizerDigest: string
  readonly splits: Readonly<Record<SplitName, Split>>
}

/** Documents as one tokenizer sees them: their tokens one after another, and how many those of each are, if any. */
export interface Encoded {
  readonly ids: Uint32Array
  readonly lengths: Uint32Array
}

/**
 * Encodes documents into one stream. With `separator: 'eos'` each is followed by the end-of-text token; with `'none'`
 * the stream is the text alone, as published perplexities have it.
 * Throws `Failure` TOKENS_EMPTY when nothing comes out; `name` says which split in the message.
 */
export function encodeSplit(
  tokenizer: Tokenizer,
  documents: Iterable<string>,
  { name, separator, rows = 'anywhere' }: { name: SplitName; separator: 'eos' | 'none'; rows?: RowCut },
): Split {
  return joinEncoded([encodeDocuments(tokenizer, documents, separator)], tokenizer, { name, rows })
}

/** Some of a split's documents, for `joinEncoded`. */
export function encodeDocuments(tokenizer: Tokenizer, documents: Iterable<string>, separator: 'eos' | 'none'): Encoded {
  const parts: number[][] = []
  for (const text of documents) {
    const ids = tokenizer.encode(text)
    if (ids.length === 0) continue
    if (separator === 'eos') ids.push(tokenizer.eos)
    parts.push(ids)
  }
  const lengths = Uint32Array.from(parts, (part) => part.length)
  const ids = new Uint32Array(lengths.reduce((sum, length) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    ids.set(part, at)
    at += part.length
  }
  return { ids, lengths }
}

/** The stream of all documents of a split, encoded in parts. Throws `Failure` TOKENS_EMPTY as `encodeSplit` does. */
export function joinEncoded(
  parts: readonly Encoded[],
  { vocabSize }: Pick<Tokenizer, 'vocabSize'>,
  { name, rows }: { readonly name: SplitName; readonly rows: RowCut },
): Split {
  const length = parts.reduce((sum, { ids }) => sum + ids.length, 0)
  if (length < 2) throw empty(name, length)
  const ids = vocabSize <= 65536 ? new Uint16Array(length) : new Uint32Array(length)
  const starts: number[] = []
  let at = 0
  for (const part of parts) {
    ids.set(part.ids, at)
    for (const one of part.lengths) {
      starts.push(at)
      at += one
    }
  }
  return makeSplit(ids, Uint32Array.from(starts), rows)
}

/** Writes a tokens folder: `<split>.bin` (ids), `<split>.documents.bin` (uint32 starts), and `meta.json` last. */
export function writeTokens(folder: string, tokens: Tokens): void {
  mkdirSync(folder, { recursive: true })
  for (const name of splitNames) {
    const { ids, documents } = tokens.splits[name]
    publishFile(join(folder, `${name}.bin`), (append) => append(bytesOf(ids)))
    publishFile(join(folder, `${name}.documents.bin`), (append) => append(bytesOf(documents)))
  }
  const { vocabSize, eos, tokenizerDigest } = tokens
  const splits = Object.fromEntries(splitNames.map((name) => [name, describe(tokens.splits[name])]))
  const meta = { format: 'tokens', version: 1, vocabSize, eos, tokenizerDigest, splits }
  publishFile(join(folder, 'meta.json'), (append) => append(Buffer.from(`${JSON.stringify(meta, null, 2)}\n`)))
}

/** Failures: FILE_MISSING, FILE_NOT_JSON, TOKENS_INVALID, TOKENS_EMPTY, TOKENS_DAMAGED (bytes and digest differ). */
export function readTokens(folder: string): Result<Tokens, Failure> {
  try {
    return ok(read(folder))
  } catch (error) {
    if (error instanceof Failure) return err(error)
    throw error
  }
}

interface SplitMeta {
  readonly tokens: number
  readonly documents: number
  readonly dtype: 'uint16' | 'uint32'
  readonly rows: RowCut
  readonly digest: string
}

function describe({ ids, documents, rows, digest }: Split): SplitMeta {
  return { tokens: ids.length, documents: documents.length, dtype: dtypeOf(ids), rows, digest }
}

function read(folder: string): Tokens {
  const file = join(folder, 'meta.json')
  const meta = readJson(file)
  const invalid = (what: string) => new Failure('TOKENS_INVALID', `"${file}" does not describe tokens: ${what}.`)
  if (!isRecord(meta) || meta['format'] !== 'tokens') throw invalid('its "format" is not "tokens"')
  if (meta['version'] !== 1) throw invalid(`its version is ${JSON.stringify(meta['version'])}, expected 1`)
  const { vocabSize, eos, tokenizerDigest, splits } = meta
  if (!isCount(vocabSize) || !isCount(eos) || eos >= vocabSize || typeof tokenizerDigest !== 'string') {
    throw invalid('"vocabSize", "eos" or "tokenizerDigest" is missing or wrong')
  }
  const load = (name: SplitName): Split => {
    const split = isRecord(splits) ? splits[name] : undefined
    if (!isSplitMeta(split)) throw invalid(`split "${name}" is missing or wrong`)
    return readSplit(folder, name, split)
  }
  return {
    vocabSize,
    eos,
    tokenizerDigest,
    splits: { train: load('train'), validation: load('validation'), test: load('test') },
  }
}

function readSplit(folder: string, name: SplitName, meta: SplitMeta): Split {
  if (meta.tokens < 2) throw empty(name, meta.tokens)
  const width = meta.dtype === 'uint16' ? 2 : 4
  const raw = readSized(join(folder, `${name}.bin`), meta.tokens * width)
  const ids = width === 2 ? new Uint16Array(raw) : new Uint32Array(raw)
  const documents = new Uint32Array(readSized(join(folder, `${name}.documents.bin`), meta.documents * 4))
  const split = makeSplit(ids, documents, meta.rows)
  if (split.digest !== meta.digest) {
    const message = `"${join(folder, `${name}.bin`)}" is damaged: its digest is ${split.digest}, expected ${meta.digest}. Tokenize again.`
    throw new Failure('TOKENS_DAMAGED', message, { exitCode: 1 })
  }
  return split
}

function readSized(file: string, size: number): ArrayBuffer {
  if (!isFile(file)) throw new Failure('FILE_MISSING', `There is no file "${file}".`)
  const found = statSync(file).size
  if (found !== size) {
    const message = `"${file}" is damaged: it has ${found} bytes, expected ${size}. Tokenize again.`
    throw new Failure('TOKENS_DAMAGED', message, { exitCode: 1 })
  }
  return new Uint8Array(readFileSync(file)).buffer
}

export function makeSplit(ids: Uint16Array | Uint32Array, documents: Uint32Array, rows: RowCut): Split {
  return { ids, documents, rows, digest: digestParts([dtypeOf(ids), rows, bytesOf(ids), bytesOf(documents)]) }
}

function empty(name: SplitName, length: number): Failure {
  const message = `The ${name} split is empty: it has ${length} tokens, and it takes two to predict one. Give a corpus with text in each of ${splitNames.join(', ')}.`
  return new Failure('TOKENS_EMPTY', message)
}

function dtypeOf(ids: Uint16Array | Uint32Array): 'uint16' | 'uint32' {
  return ids instanceof Uint16Array ? 'uint16' : 'uint32'
}

export function bytesOf(array: Uint16Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isSplitMeta(value: unknown): value is SplitMeta {
  if (!isRecord(value)) return false
  const { tokens, documents, dtype, rows, digest } = value
  const isKnown = (dtype === 'uint16' || dtype === 'uint32') && (rows === 'anywhere' || rows === 'documents')
  return isCount(tokens) && isCount(documents) && isKnown && typeof digest === 'string'
}
