import type { Convention, Option } from '../data/task-forms.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import { Failure } from '../util/failure.ts'

/** An option in tokens. */
export interface Pair {
  readonly context: readonly number[]
  readonly ending: readonly number[]
}

interface Pairs {
  readonly pairs: readonly Pair[]
  /** Whether a context did not fit the position table: it lost its first tokens. */
  readonly cut: boolean
}

/**
 * The options of item `index` in tokens, as the convention encodes and cuts them.
 * Throws Failure ITEM_EMPTY, ITEM_TOO_LONG.
 */
export function pairsOf(
  tokenizer: Tokenizer,
  options: readonly Option[],
  { index, positions, convention }: { index: number; positions: number; convention: Convention },
): Pairs {
  const whole = encoders[convention](remembering(tokenizer.encode), options)
  if (whole.some(({ context, ending }) => context.length === 0 || ending.length === 0)) {
    throw new Failure('ITEM_EMPTY', `Item ${index} has a context or an ending without any token.`)
  }
  const longest = Math.max(...whole.map(({ ending }) => ending.length))
  if (longest > positions) {
    const message = `Item ${index} has an ending of ${longest} tokens; the model's position table has ${positions}.`
    throw new Failure('ITEM_TOO_LONG', message)
  }
  // an ending's last token is in no position. Plain: room for the longest, so that all see the same context
  const room = { plain: () => longest - 1, harness: (ending: readonly number[]) => ending.length - 1 }[convention]
  const pairs = whole.map(({ context, ending }) => ({ context: context.slice(room(ending) - positions), ending }))
  return { pairs, cut: pairs.some(({ context }, n) => context.length < whole[n]!.context.length) }
}

type Encode = (text: string) => readonly number[]

const encoders: Record<Convention, (encode: Encode, options: readonly Option[]) => Pair[]> = {
  plain: (encode, options) =>
    options.map(({ context, ending }) => ({ context: encode(context), ending: encode(` ${ending}`) })),
  harness: (encode, options) => options.map((option) => together(encode, option)),
}

/** Spaces at the end of the context are the ending's, whose tokens are those of both beyond the context's own. */
function together(encode: Encode, { context, ending }: Option): Pair {
  const head = context.trimEnd()
  const own = encode(head)
  return { context: own, ending: encode(`${context} ${ending}`).slice(own.length) }
}

/** Options share contexts, or an ending. */
function remembering(encode: Tokenizer['encode']): Encode {
  const known = new Map<string, readonly number[]>()
  return (text) => {
    const ids = known.get(text) ?? encode(text)
    known.set(text, ids)
    return ids
  }
}
