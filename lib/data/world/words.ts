/** The words that the world's stories are made of: all of its vocabulary. */
export const names = 'Anna Ben Clara David Emma Felix'.split(' ')
export const places = 'Athens Cairo Lima Oslo Paris Rome'.split(' ')
export const objects = 'apple book key lamp'.split(' ')
const grammar = 'was in the with went to found took dropped gave .'.split(' ')

export const endOfText = '<|endoftext|>'
const unknown = '<unk>'

/**
 * `tokenizer.json` of the `tokenizers` library: a token is a word, so what is encoded in parts is what is encoded at
 * once.
 */
export function worldTokenizer(): object {
  const vocabulary = [endOfText, unknown, ...grammar, ...names, ...places, ...objects]
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [endOfText, unknown].map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: {
      type: 'WordLevel',
      vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])),
      unk_token: unknown,
    },
  }
}
