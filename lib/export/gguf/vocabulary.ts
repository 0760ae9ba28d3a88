import { vocabularyOf } from '../../data/tokenizer-spec.ts'
import type { TokenizerSpec } from '../../data/tokenizer-spec.ts'
import { Failure } from '../../util/failure.ts'
import type { GgufValue } from './container.ts'

/** llama.cpp's kinds of tokens (enum llama_token_type): those that a BPE has. */
const kinds = { normal: 1, control: 3, userDefined: 4, unused: 5 } as const

/**
 * A byte-level BPE as llama.cpp reads it (llama-vocab.cpp), `size` tokens long; ids without a token are filled up, as the
 * model has rows for them. Throws Failure GGUF_TOKENIZER for any other tokenizer: llama.cpp would split text in another way.
 */
export function ggufVocabulary(spec: TokenizerSpec, eos: number, size: number): Readonly<Record<string, GgufValue>> {
  const difference = differenceIn(spec)
  if (difference !== undefined) {
    const message = `There is no GGUF of this model: ${difference}, and llama.cpp takes GPT-2's byte-level BPE alone for it. Export it with --format safetensors or onnx.`
    throw new Failure('GGUF_TOKENIZER', message)
  }
  const vocabulary = vocabularyOf(spec)
  const tokens = Array.from({ length: size }, (_, id) => freeName(id, vocabulary))
  const types: number[] = tokens.map(() => kinds.unused)
  for (const [token, id] of vocabulary) [tokens[id], types[id]] = [token, kinds.normal]
  for (const { id, special } of spec.added_tokens) types[id] = special ? kinds.control : kinds.userDefined
  const merges = (spec.model.merges ?? []).map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')))
  return {
    'tokenizer.ggml.model': { string: 'gpt2' },
    'tokenizer.ggml.pre': { string: 'gpt-2' },
    'tokenizer.ggml.tokens': { strings: tokens },
    'tokenizer.ggml.token_type': { int32s: types },
    'tokenizer.ggml.merges': { strings: merges },
    'tokenizer.ggml.bos_token_id': { uint32: eos },
    'tokenizer.ggml.eos_token_id': { uint32: eos },
    'tokenizer.ggml.add_bos_token': { bool: false },
  }
}

/** llama.cpp stops at a vocabulary in which two ids have one text. */
function freeName(id: number, taken: ReadonlyMap<string, number>): string {
  let name = `[PAD${id}]`
  while (taken.has(name)) name = `[${name}]`
  return name
}

/** What parts a tokenizer from GPT-2's, but for its vocabulary and merges. */
function differenceIn(spec: TokenizerSpec): string | undefined {
  const { model, normalizer, pre_tokenizer: step } = spec
  const type = model.type ?? 'BPE'
  if (type !== 'BPE') return `its tokenizer is of the type ${type}`
  if (normalizer !== null) return `its tokenizer changes the text first (${normalizer.type})`
  if (step?.type !== 'ByteLevel')
    return `its tokenizer does not split text into bytes (${step?.type ?? 'no first step'})`
  const others = ['continuing_subword_prefix', 'end_of_word_suffix', 'ignore_merges', 'byte_fallback']
  const other = others.find((name) => Boolean(model[name]))
  if (other !== undefined) return `its tokenizer has the setting ${other}`
  if (step['add_prefix_space'] === true) return 'its tokenizer puts a space before the text'
  if (step['use_regex'] === false) return 'its tokenizer does not part words'
  const choosy = spec.added_tokens.find((one) => [one.lstrip, one.rstrip, one.single_word].includes(true))
  if (choosy !== undefined) return `its token "${choosy.content}" depends on what stands beside it`
  const lacking = byteLetters.filter((letter) => !Object.hasOwn(model.vocab, letter)).length
  return lacking === 0 ? undefined : `its tokenizer has no token for ${lacking} of the 256 bytes`
}

/**
 * GPT-2's letters for the 256 bytes: printable ones are their own, the others have those from U+0100 on
 * (bytes_to_unicode of https://github.com/openai/gpt-2/blob/master/src/encoder.py).
 */
const byteLetters = [range('!', '~'), range('¡', '¬'), range('®', 'ÿ'), range('Ā', 'Ń')].flat()

function range(first: string, last: string): string[] {
  const [from, to] = [first.charCodeAt(0), last.charCodeAt(0)]
  return Array.from({ length: to - from + 1 }, (_, n) => String.fromCharCode(from + n))
}
