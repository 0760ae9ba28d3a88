import type { Digest } from '../canonical.ts'

/** What stands at one path of a tree, as the lines say that its digest is of: see `contentLine`. */
export type Listed =
  | ListedFile
  | { readonly kind: 'folder'; readonly path: string }
  /** As `Entry` of walk.ts has it. */
  | { readonly kind: 'link'; readonly path: string; readonly target: string }

export interface ListedFile {
  readonly kind: 'file'
  readonly path: string
  readonly executable: boolean
  readonly size: number
  readonly digest: Digest
}

/** The entries of a tree by its lines; undefined where these are none, or lead out of the tree. */
export function parseListing(text: string): Listed[] | undefined {
  const entries: Listed[] = []
  let at = 0
  /** A text with its length before it, which may hold anything. */
  const counted = (): string => {
    const colon = text.indexOf(':', at)
    const length = /^\d+$/.test(text.slice(at, colon)) ? Number(text.slice(at, colon)) : Infinity
    at = colon + 1 + length
    return text.slice(colon + 1, at)
  }
  const field = (end: string): string => {
    const from = at
    at = text.indexOf(end, from) + end.length
    return text.slice(from, at - end.length)
  }
  while (at < text.length) {
    const kind = field(' ')
    const path = counted()
    if (!isInside(path)) return undefined
    if (kind === 'd') entries.push({ kind: 'folder', path })
    else if (kind === 'l') {
      at++
      entries.push({ kind: 'link', path, target: counted() })
    } else if (kind === 'f' || kind === 'x') {
      at++
      const size = Number(field(' '))
      const digest = text.slice(at, at + 64) as Digest
      at += 64
      if (!Number.isSafeInteger(size) || !/^[0-9a-f]{64}$/.test(digest)) return undefined
      entries.push({ kind: 'file', path, executable: kind === 'x', size, digest })
    } else return undefined
    if (text[at++] !== '\n') return undefined
  }
  return entries
}

/** A list may come from elsewhere: nothing is written outside of the tree. */
function isInside(path: string): boolean {
  const [separators, odd] = process.platform === 'win32' ? [/[/\\]/, ':'] : ['/', '\0']
  return path === '' || path.split(separators).every((part) => !['', '.', '..'].includes(part) && !part.includes(odd))
}
