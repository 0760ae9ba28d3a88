import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tokenizerFiles } from './model-files.ts'
import { publishFile } from './publish.ts'
import { isFile } from './read.ts'
import { readTokenizerSpec, vocabularyOf } from './tokenizer-spec.ts'
import type { TokenizerSpec } from './tokenizer-spec.ts'

/**
 * Brings a folder's tokenizer to another with all that transformers and transformers.js ask for: its files as they are,
 * and where they are missing a `tokenizer.json` of the same vocabulary and merges, and a `tokenizer_config.json`.
 * `context` is the longest row that the model takes. Throws what `readTokenizerSpec` throws.
 */
export function exportTokenizer(from: string, to: string, context: number): void {
  const { spec, eos } = readTokenizerSpec(from)
  for (const name of tokenizerFiles) {
    const file = join(from, name)
    if (isFile(file)) publishFile(join(to, name), (append) => append(readFileSync(file)))
  }
  writeMissing(join(to, 'tokenizer.json'), () => whole(spec))
  writeMissing(join(to, 'tokenizer_config.json'), () => configOf(spec, eos, context))
}

function writeMissing(file: string, make: () => object): void {
  if (isFile(file)) return
  publishFile(file, (append) => append(Buffer.from(`${JSON.stringify(make(), null, 2)}\n`)))
}

/** With the fields that the Rust tokenizers want to see, be they at their defaults. */
function whole({ added_tokens: added, ...spec }: TokenizerSpec): object {
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false }
  const decoder = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }
  const tokens = added.map((token) => ({ ...plain, ...token }))
  return { version: '1.0', truncation: null, padding: null, added_tokens: tokens, ...spec, decoder }
}

/** The class that adds no rule of its own to what `tokenizer.json` says. */
function configOf(spec: TokenizerSpec, eos: number, context: number): object {
  const endOfText = [...vocabularyOf(spec)].find(([, id]) => id === eos)?.[0]
  const { unk_token: unknown } = spec.model
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: endOfText,
    eos_token: endOfText,
    ...(unknown == null ? {} : { unk_token: unknown }),
    model_max_length: context,
    clean_up_tokenization_spaces: false,
  }
}
