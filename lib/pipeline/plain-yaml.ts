import type { Source, Spot } from './source.ts'
import type { Entry, Tree } from './tree.ts'

const DEEPEST = 30
/** Beside what the library refuses, characters of which it has rules of its own. */
const ODD = /[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]/
const QUOTED = /'[^'\n]{0,500}'|"[^"\\\n]{0,500}"/y
const KEY = /[A-Za-z_][\w-]{0,200}/y
const PLAIN_IN_FLOW = /(?:[\w./$]|--?[\w.])[\w./+$@=-]*(?::[\w./+$@=-]+)*(?: +[\w./+$@=-]+(?::[\w./+$@=-]+)*)*/y
const PLAIN_IN_BLOCK = /(?:[\w./$]|--?[\w.])(?:[^\n #:]|(?<=[^ ])#|:(?=[^ \n])| +(?=[^ \n#]))*/y
const REST_OF_LINE = / *(?: #[^\n]*)?(?:\n|$)/y
const BLANK_LINES = /(?: *(?:#[^\n]*)?\n)*(?: *#[^\n]*$)?/y

/**
 * Reads YAML that is written plainly, as programs and most people write it, more than ten times faster than the library
 * does: a file of twenty thousand stages is read in a tenth of a second. Undefined for all else, every mistake included,
 * which the library then reads: nothing is refused here, and what is accepted is the tree that the library would give.
 */
export function readPlainYaml(source: Source): Tree | undefined {
  if (ODD.test(source.text)) return undefined
  const tree = new PlainReader(source).document()
  if (tree !== undefined) countLines(source)
  return tree
}

function countLines({ text, lines }: Source): void {
  lines.addNewLine(0)
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1)
}

class PlainReader {
  readonly #source: Source
  readonly #text: string
  #at = 0

  constructor(source: Source) {
    this.#source = source
    this.#text = source.text
  }

  document(): Tree | undefined {
    const indent = this.#nextLine()
    const tree = indent === 0 && !this.#isAtItem() ? this.#blockMap(0, 0) : undefined
    return this.#at === this.#text.length ? tree : undefined
  }

  /** Goes to the next line with content and gives how far it is indented; -1 at the end of the text. */
  #nextLine(): number {
    this.#skip(BLANK_LINES)
    const start = this.#at
    while (this.#text[this.#at] === ' ') this.#at++
    return this.#at === this.#text.length ? -1 : this.#at - start
  }

  #isAtItem(): boolean {
    return this.#text.startsWith('- ', this.#at)
  }

  /** At its first key; ends at the first content of the line after it, or at the end. */
  #blockMap(indent: number, depth: number): Tree | undefined {
    const at = this.#spot()
    const entries = new Map<string, Entry>()
    for (;;) {
      const keyAt = this.#spot()
      const key = this.#key()
      if (key === undefined || entries.has(key) || !/[ \n]/.test(this.#text[this.#at] ?? '')) return undefined
      const value = this.#blockValue(indent, depth + 1)
      if (value === undefined) return undefined
      entries.set(key, { keyAt, value })
      const next = this.#column()
      if (next < indent) return { kind: 'map', at, entries }
      if (next > indent) return undefined // text that goes on, or a mistake
    }
  }

  #blockValue(indent: number, depth: number): Tree | undefined {
    if (depth > DEEPEST) return undefined
    if (!this.#skip(REST_OF_LINE)) return this.#lineValue(indent, depth)
    const inner = this.#nextLine()
    if (this.#isAtItem() && inner >= indent) return this.#blockList(inner, depth)
    return inner > indent ? this.#blockMap(inner, depth) : undefined
  }

  #blockList(indent: number, depth: number): Tree | undefined {
    const at = this.#spot()
    const items: Tree[] = []
    for (;;) {
      if (!this.#isAtItem()) return this.#column() <= indent ? { kind: 'list', at, items: fitted(items) } : undefined
      this.#at++
      const item = this.#lineValue(indent, depth + 1)
      if (item === undefined) return undefined
      items.push(item)
      const next = this.#column()
      if (next < indent) return { kind: 'list', at, items: fitted(items) }
      if (next > indent) return undefined
    }
  }

  /** A value that begins on this line and after which nothing stands on its last. */
  #lineValue(indent: number, depth: number): Tree | undefined {
    this.#skipSpaces()
    const value = this.#value(indent, depth, PLAIN_IN_BLOCK)
    if (value === undefined || !this.#skip(REST_OF_LINE)) return undefined
    this.#nextLine()
    return value
  }

  #value(indent: number, depth: number, plain: RegExp): Tree | undefined {
    const open = this.#text[this.#at]
    if (depth > DEEPEST) return undefined
    if (open === '[') return this.#flowList(indent, depth)
    return open === '{' ? this.#flowMap(indent, depth) : this.#scalar(plain)
  }

  #flowList(indent: number, depth: number): Tree | undefined {
    const at = this.#spot()
    const items: Tree[] = []
    const isWhole = this.#flowItems(']', indent, () => {
      const item = this.#pair(indent, depth + 1) ?? this.#value(indent, depth + 1, PLAIN_IN_FLOW)
      if (item !== undefined) items.push(item)
      return item !== undefined
    })
    return isWhole ? { kind: 'list', at, items: fitted(items) } : undefined
  }

  /** `page: report.html` in a list: a map of one entry. */
  #pair(indent: number, depth: number): Tree | undefined {
    const start = this.#at
    const entry = this.#flowEntry(indent, depth)
    if (entry !== undefined) return { kind: 'map', at: entry[1].keyAt, entries: new Map([entry]) }
    this.#at = start
    return undefined
  }

  #flowMap(indent: number, depth: number): Tree | undefined {
    const at = this.#spot()
    const entries = new Map<string, Entry>()
    const isWhole = this.#flowItems('}', indent, () => {
      const entry = this.#flowEntry(indent, depth + 1)
      if (entry === undefined || entries.has(entry[0])) return false
      entries.set(...entry)
      return true
    })
    return isWhole ? { kind: 'map', at, entries } : undefined
  }

  #flowEntry(indent: number, depth: number): [string, Entry] | undefined {
    const keyAt = this.#spot()
    const key = this.#key()
    if (key === undefined || this.#text[this.#at] !== ' ') return undefined
    this.#skipSpaces()
    const value = this.#value(indent, depth, PLAIN_IN_FLOW)
    return value && [key, { keyAt, value }]
  }

  #flowItems(close: string, indent: number, read: () => boolean): boolean {
    this.#at++
    if (!this.#skipFlow(indent)) return false
    for (let first = true; this.#text[this.#at] !== close; first = false) {
      if (!first) {
        if (this.#text[this.#at++] !== ',' || !this.#skipFlow(indent)) return false
      }
      if (!read() || !this.#skipFlow(indent)) return false
    }
    this.#at++
    return true
  }

  /** Spaces and line breaks; a line inside a collection is indented further than what the collection stands in. */
  #skipFlow(indent: number): boolean {
    this.#skipSpaces()
    if (this.#text[this.#at] !== '\n') return true
    while (this.#text[this.#at] === '\n') {
      this.#at++
      this.#skipSpaces()
    }
    return this.#column() > indent
  }

  /** A key and its colon. */
  #key(): string | undefined {
    const quoted = this.#take(QUOTED)
    const plain = quoted === undefined ? this.#take(KEY) : undefined
    if (this.#text[this.#at] !== ':') return undefined
    this.#at++
    if (quoted !== undefined) return quoted.slice(1, -1)
    return plain === undefined || isWord(plain) ? undefined : plain
  }

  #scalar(plain: RegExp): Tree | undefined {
    const at = this.#spot()
    const quoted = this.#take(QUOTED)
    if (quoted !== undefined) return { kind: 'scalar', at, value: quoted.slice(1, -1) }
    const text = this.#take(plain)
    const value = text === undefined ? undefined : plainValue(text)
    return value === undefined ? undefined : { kind: 'scalar', at, value }
  }

  #skipSpaces(): void {
    while (this.#text[this.#at] === ' ') this.#at++
  }

  #take(pattern: RegExp): string | undefined {
    const start = this.#at
    return this.#skip(pattern) ? this.#text.slice(start, this.#at) : undefined
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    // a sticky pattern that matches says where it ended
    const found = pattern.test(this.#text)
    if (found) this.#at = pattern.lastIndex
    return found
  }

  /** How far along its line the reader stands; -1 at the end of the text. */
  #column(): number {
    return this.#at === this.#text.length ? -1 : this.#at - this.#text.lastIndexOf('\n', this.#at - 1) - 1
  }

  #spot(): Spot {
    return { source: this.#source, offset: this.#at }
  }
}

/** Without the room for sixteen more that an array has to which something was added. */
const fitted = <T>(items: readonly T[]): readonly T[] => items.slice()

/** `true` and `null`, and what is spelled like them. */
const isWord = (text: string): boolean => /^(?:true|false|null)$/i.test(text)

/** Undefined where it may be a number of another form, or is no value at all. */
function plainValue(text: string): boolean | null | number | string | undefined {
  if (text === 'null') return null
  if (text === 'true' || text === 'false') return text === 'true'
  if (isWord(text)) return undefined
  if (/^(?:--?)?[A-Za-z_$/]/.test(text) || text.includes('/')) return text
  // 0 and not −0
  return /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/.test(text) ? Number(text) || 0 : undefined
}
