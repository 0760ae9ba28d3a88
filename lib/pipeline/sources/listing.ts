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

/**
 * The entries of a tree by its lines; undefined where these are none. They may come from elsewhere: nothing that they
 * name is out of the tree, or is reached through a link.
 */
export function parseListing(text: string): Listed[] | undefined {
  const entries: Listed[] = []
  for (const lines = new Lines(text); !lines.isOver;) {
    const entry = lines.next()
    if (entry === undefined) return undefined
    entries.push(entry)
  }
  return areTree(entries) ? entries : undefined
}

class Lines {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get isOver(): boolean {
    return this.#at >= this.#text.length
  }

  next(): Listed | undefined {
    const kind = this.#until(' ')
    const path = this.#counted()
    const entry = kind === 'd' ? ({ kind: 'folder', path } as const) : this.#rest(kind, path)
    return this.#take(1) === '\n' ? entry : undefined
  }

  #rest(kind: string, path: string): Listed | undefined {
    this.#take(1)
    if (kind === 'l') return { kind: 'link', path, target: this.#counted() }
    const size = Number(this.#until(' '))
    const digest = this.#take(64) as Digest
    const isFile = (kind === 'f' || kind === 'x') && Number.isSafeInteger(size) && /^[0-9a-f]{64}$/.test(digest)
    return isFile ? { kind: 'file', path, executable: kind === 'x', size, digest } : undefined
  }

  #take(length: number): string {
    const from = this.#at
    this.#at += length
    return this.#text.slice(from, this.#at)
  }

  /** What comes before a mark, which is passed; all where there is none. */
  #until(mark: string): string {
    const end = this.#text.indexOf(mark, this.#at)
    const found = this.#take(end < 0 ? Infinity : end - this.#at)
    this.#take(mark.length)
    return found
  }

  /** A text with its length before it, which may hold anything. */
  #counted(): string {
    const length = this.#until(':')
    return this.#take(/^\d+$/.test(length) ? Number(length) : Infinity)
  }
}

/** Whether each stands in a folder that stands before it, once, and links lead to another or to nothing. */
function areTree(entries: readonly Listed[]): boolean {
  const kinds = new Map<string, Listed['kind']>()
  for (const { kind, path } of entries) {
    const isPlaced = path === '' ? kinds.size === 0 : isInside(path) && kinds.get(folderOf(path)) === 'folder'
    if (!isPlaced || kinds.has(path)) return false
    kinds.set(path, kind)
  }
  return entries.every((entry) => entry.kind !== 'link' || entry.target.startsWith('?') || kinds.has(entry.target))
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

/** Whether a path with `/` names something below a folder on this system. */
export function isInside(path: string): boolean {
  const [separators, odd] = process.platform === 'win32' ? [/[/\\]/, ':'] : ['/', '\0']
  return path.split(separators).every((part) => !['', '.', '..'].includes(part) && !part.includes(odd))
}
