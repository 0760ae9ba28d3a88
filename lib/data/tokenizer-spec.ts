import { join } from 'node:path'
import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import { digestParts } from './digest.ts'
import { isFile, readJson, readText } from './read.ts'

/** What of a `tokenizer.json` decides about ids. */
export interface TokenizerSpec {
  readonly added_tokens: readonly AddedToken[]
  readonly normalizer: Step | null
  readonly pre_tokenizer: Step | null
  readonly post_processor: Step | null
  readonly decoder: Step | null
  readonly model: Model
}

interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special: boolean
  readonly lstrip?: boolean
  readonly rstrip?: boolean
  readonly single_word?: boolean
}

interface Step {
  readonly type: string
  readonly [key: string]: unknown
}

interface Model {
  readonly type?: string
  readonly vocab: Readonly<Record<string, number>>
  readonly merges?: readonly (string | readonly string[])[]
  readonly unk_token?: string | null
  readonly [key: string]: unknown
}

const endOfText = '<|endoftext|>'

/**
 * How text falls into pieces that are encoded each alone, by the type of the tokenizer's first step. ByteLevel is GPT-2's,
 * https://github.com/openai/gpt-2/blob/master/src/encoder.py. Spaces and letters are those of the Rust tokenizers:
 * JavaScript's \s and \w, which the library itself uses, differ from them (U+0085, U+FEFF, letters beyond ASCII).
 */
const pieces: Readonly<Record<string, RegExp>> = {
  ByteLevel:
    /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu,
  Whitespace:
    /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu,
  WhitespaceSplit: /\P{White_Space}+/gu,
}

/** Throws `Failure` FILE_MISSING, FILE_NOT_JSON, TOKENIZER_INVALID, TOKENIZER_NO_EOS. */
export function readTokenizerSpec(folder: string): { spec: TokenizerSpec; eos: number } {
  const file = join(folder, 'tokenizer.json')
  const spec = isFile(file) ? parseSpec(file, readJson(file)) : readBpeFiles(folder)
  return { spec, eos: findEos(folder, spec) }
}

/** The largest id + 1: ids may have gaps. */
export function vocabularySize(spec: TokenizerSpec): number {
  let largest = -1
  for (const id of Object.values(spec.model.vocab)) largest = Math.max(largest, id)
  for (const { id } of spec.added_tokens) largest = Math.max(largest, id)
  return largest + 1
}

/**
 * The first step of a tokenizer, splitting text into pieces, and the tokenizer without it. Special tokens are left out of
 * it. What comes before the first step (a normalizer, added tokens that are not special) leaves the text in one piece.
 */
export function splitterOf(spec: TokenizerSpec): { split: (text: string) => readonly string[]; rest: TokenizerSpec } {
  const plain = { ...spec, added_tokens: spec.added_tokens.filter((one) => !one.special) }
  const step = spec.pre_tokenizer
  const pattern = step === null ? undefined : pieces[step.type]
  const asIs = step?.['use_regex'] === false || step?.['add_prefix_space'] === true
  if (!step || !pattern || asIs || spec.normalizer || plain.added_tokens.length > 0) {
    return { split: (text) => (text === '' ? [] : [text]), rest: plain }
  }
  const rest = step.type === 'ByteLevel' ? { ...step, use_regex: false } : null
  return { split: (text) => text.match(pattern) ?? [], rest: { ...plain, pre_tokenizer: rest } }
}

/** Two tokenizers with one digest give equal ids for every text; where their files come from does not matter. */
export function digestSpec(spec: TokenizerSpec): string {
  const vocabulary = [...vocabularyOf(spec)].sort(([a, i], [b, j]) => i - j || (a < b ? -1 : 1))
  const merges = (spec.model.merges ?? []).map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')))
  const added = [...spec.added_tokens].sort((a, b) => a.id - b.id)
  const { unk_token = null, byte_fallback = false, ignore_merges = false } = spec.model
  const settings = { type: spec.model.type ?? 'BPE', unk_token, byte_fallback, ignore_merges }
  return digestParts([
    JSON.stringify(vocabulary),
    JSON.stringify(merges),
    JSON.stringify(added.map(({ id, content, special }) => [id, content, special])),
    JSON.stringify(settings),
    canonicalStep(spec.normalizer),
    canonicalStep(spec.pre_tokenizer),
  ])
}

/** Every token with its id, the added ones included. */
export function vocabularyOf({ model, added_tokens: added }: TokenizerSpec): Map<string, number> {
  return new Map([...Object.entries(model.vocab), ...added.map(({ content, id }) => [content, id] as const)])
}

/** `trim_offsets` moves offsets, never ids; what is left out has its default. */
function canonicalStep(step: Step | null): string {
  if (!step) return 'null'
  const defaults = step.type === 'ByteLevel' ? { use_regex: true, add_prefix_space: true } : {}
  const entries = Object.entries({ ...defaults, ...step }).filter(([key]) => key !== 'trim_offsets')
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function parseSpec(file: string, json: unknown): TokenizerSpec {
  const invalid = (what: string) => new Failure('TOKENIZER_INVALID', `"${file}" is not a tokenizer: ${what}.`)
  if (!isRecord(json)) throw invalid('it is not a JSON object')
  const { model, added_tokens: added = [] } = json
  if (!isRecord(model) || !isVocabulary(model['vocab'])) throw invalid('"model.vocab" is not a map from token to id')
  if (!Array.isArray(added) || !added.every(isAddedToken)) throw invalid('"added_tokens" is not a list of tokens')
  const step = (key: string): Step | null => {
    const value = json[key] ?? null
    if (value === null) return null
    if (!isRecord(value) || typeof value['type'] !== 'string') throw invalid(`"${key}" has no type`)
    return value as Step
  }
  return {
    added_tokens: added,
    normalizer: step('normalizer'),
    pre_tokenizer: step('pre_tokenizer'),
    post_processor: step('post_processor'),
    decoder: step('decoder'),
    model: model as Model,
  }
}

function readBpeFiles(folder: string): TokenizerSpec {
  const files = { vocab: join(folder, 'vocab.json'), merges: join(folder, 'merges.txt') }
  if (!isFile(files.vocab) || !isFile(files.merges)) {
    const message = `There is no tokenizer in "${folder}": expected "tokenizer.json", or "vocab.json" with "merges.txt".`
    throw new Failure('FILE_MISSING', message)
  }
  const vocab = readJson(files.vocab)
  if (!isVocabulary(vocab)) {
    throw new Failure('TOKENIZER_INVALID', `"${files.vocab}" is not a map from token to id.`)
  }
  const lines = readText(files.merges).split(/\r?\n/)
  const merges = lines.filter((line, index) => line !== '' && !(index === 0 && line.startsWith('#version')))
  const id = vocab[endOfText]
  return {
    added_tokens: id === undefined ? [] : [{ id, content: endOfText, special: true }],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab, merges, unk_token: null, byte_fallback: false },
  }
}

/** What the folder's files say, the closest to the tokenizer first; GPT-2's token otherwise. */
function findEos(folder: string, spec: TokenizerSpec): number {
  const vocabulary = vocabularyOf(spec)
  for (const name of ['tokenizer_config.json', 'special_tokens_map.json', 'config.json']) {
    const file = join(folder, name)
    const json = isFile(file) ? readJson(file) : undefined
    if (!isRecord(json)) continue
    const { eos_token: token, eos_token_id: number } = json
    const content = isRecord(token) ? token['content'] : token
    const id = typeof content === 'string' ? vocabulary.get(content) : number
    const said = content ?? number
    if (said === undefined || said === null) continue
    if (typeof id === 'number' && id < vocabularySize(spec)) return id
    throw noEos(`"${file}" names ${JSON.stringify(said)}, which the tokenizer does not have`)
  }
  const id = vocabulary.get(endOfText)
  if (id === undefined) throw noEos(`the tokenizer in "${folder}" has no "${endOfText}", and no file names another`)
  return id
}

function noEos(what: string): Failure {
  const message = `There is no end-of-text token: ${what}. Name it as "eos_token" in "tokenizer_config.json".`
  return new Failure('TOKENIZER_NO_EOS', message)
}

function isVocabulary(value: unknown): value is Record<string, number> {
  return isRecord(value) && Object.values(value).every((id) => Number.isSafeInteger(id) && (id as number) >= 0)
}

function isAddedToken(value: unknown): value is AddedToken {
  return (
    isRecord(value) &&
    typeof value['content'] === 'string' &&
    Number.isSafeInteger(value['id']) &&
    typeof value['special'] === 'boolean'
  )
}
