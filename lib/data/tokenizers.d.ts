// The package's own declarations import without file extensions, which this module resolution does not follow: they
// arrive as errors. These are the parts that are used here.
declare module '@huggingface/tokenizers' {
  interface Step {
    (text: string): string[]
  }

  export class Tokenizer {
    constructor(tokenizer: object, config: object)
    readonly normalizer: Step | null
    readonly pre_tokenizer: Step | null
    /** An id is undefined where a token is not in the vocabulary and there is none for the unknown. */
    encode(
      text: string,
      options: { add_special_tokens: boolean },
    ): { readonly ids: readonly (number | undefined)[]; readonly tokens: readonly string[] }
    decode(
      ids: readonly number[],
      options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean },
    ): string
  }
}
