import { join } from 'node:path'
import { SplitPreTokenizer, WhitespaceSplitPreTokenizer } from '@huggingface/tokenizers'
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

/** GPT-2's way to split text, https://github.com/openai/gpt-2/blob/master/src/encoder.py, as Rust's tokenizers has it. */
const byteLevelPattern = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

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
 * The first step of a tokenizer, splitting text into pieces that are encoded each alone, and the tokenizer without it.
 * The library's own byte-level and whitespace splits use JavaScript's \s and \w, which differ from the Rust
 * tokenizers' (U+0085, U+FEFF, letters beyond ASCII); its Split with the pattern agrees with them.
 */
export function splitterOf(spec: TokenizerSpec): { split: (text: string) => string[]; rest: TokenizerSpec } {
  const plain = { ...spec, added_tokens: spec.added_tokens.filter((one) => !one.special) }
  const step = spec.pre_tokenizer
  const whole = { split: (text: string) => (text === '' ? [] : [text]), rest: plain }
  if (plain.added_tokens.length > 0 || spec.normalizer || !step) return whole
  if (step.type === 'ByteLevel' && step['use_regex'] !== false && step['add_prefix_space'] !== true) {
    const splitter = new SplitPreTokenizer({
      pattern: { Regex: byteLevelPattern },
      behavior: 'Isolated',
      invert: false,
    })
    return {
      split: (text) => splitter.pre_tokenize_text(text),
      rest: { ...plain, pre_tokenizer: { ...step, use_regex: false } },
    }
  }
  if (step.type === 'Whitespace') {
    const splitter = new SplitPreTokenizer({
      pattern: { Regex: String.raw`\w+|[^\w\s]+` },
      behavior: 'Removed',
      invert: true,
    })
    return { split: (text) => splitter.pre_tokenize_text(text), rest: { ...plain, pre_tokenizer: null } }
  }
  if (step.type === 'WhitespaceSplit') {
    const splitter = new WhitespaceSplitPreTokenizer()
    return { split: (text) => splitter.pre_tokenize_text(text), rest: { ...plain, pre_tokenizer: null } }
  }
  return whole
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
function vocabularyOf({ model, added_tokens: added }: TokenizerSpec): Map<string, number> {
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
    const { eos_token: token, eos_token_id: id } = json
    const content = isRecord(token) ? token['content'] : token
    if (typeof content === 'string' && vocabulary.has(content)) return vocabulary.get(content)!
    if (typeof id === 'number') return id
  }
  const id = vocabulary.get(endOfText)
  if (id !== undefined) return id
  const message = `The tokenizer in "${folder}" has no end-of-text token: name it as "eos_token" in "tokenizer_config.json".`
  throw new Failure('TOKENIZER_NO_EOS', message)
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
