/** The words that the world's stories are made of: all of its vocabulary. */
export const names = words(`
  Alma Anna Ben Boris Clara David Dora Emil Emma Felix Frida Grace Hanna Hugo Ida Iris Ivan Jack Jonas Karin
  Klaus Lena Leo Lydia Marta Max Mia Nils Nora Oscar Otto Paul Petra Rosa Ruth Simon Tessa Tom Vera Willem`)
export const places = words(`
  Accra Athens Berlin Bern Boston Cairo Cork Dakar Delhi Dublin Geneva Genoa Hanoi Kyiv Lagos Lille Lima Lisbon
  London Lyon Madrid Malmo Milan Nice Oslo Paris Porto Prague Quito Riga Rome Seoul Sofia Tokyo Vienna Warsaw`)
export const objects = words(`
  amber bread butter cheese chalk clay coal cocoa coffee copper corn cotton flour ginger glass gold gravel honey ink
  iron ivory lace leather linen marble milk oil paper pepper rice rubber salt sand silk silver soap sugar tea wax
  wine wool`)
const grammar = words('was in with lived to came found took left got from .')

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

function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
