/** A text with references in it: `"file:${data}/train.txt"`. */
export type Template = readonly TemplatePart[]
export type TemplatePart = string | Reference

export interface Reference {
  /** As written, with its braces. */
  readonly text: string
  readonly path: readonly string[]
  /** Where in the text it begins. */
  readonly index: number
}

/**
 * The parts of a text with `${a.b}` in it. `$${` is a literal `${`.
 * A reference that is empty or not closed comes back with an empty path.
 */
export function parseTemplate(text: string): Template {
  const parts: TemplatePart[] = []
  let end = 0
  for (const match of text.matchAll(/\$\$\{|\$\{[^}]*\}?/g)) {
    if (match.index > end) parts.push(text.slice(end, match.index))
    parts.push(match[0] === '$${' ? '${' : reference(match[0], match.index))
    end = match.index + match[0].length
  }
  if (end < text.length) parts.push(text.slice(end))
  return parts.length === 1 ? parts : joinTexts(parts)
}

function reference(text: string, index: number): Reference {
  const inner = text.endsWith('}') ? text.slice(2, -1).trim() : ''
  const path = inner.split('.')
  return { text, path: path.includes('') ? [] : path, index }
}

/** Neighbouring texts become one and empty ones vanish, so that a lone reference is seen to stand alone. */
export function joinTexts(parts: Template): Template {
  const joined: TemplatePart[] = []
  for (const part of parts) {
    const last = joined.at(-1)
    if (part === '') continue
    if (typeof part === 'string' && typeof last === 'string') joined[joined.length - 1] = last + part
    else joined.push(part)
  }
  return joined
}
