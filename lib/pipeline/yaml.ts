import { LineCounter, isAlias, isMap, isPair, isScalar, parseDocument } from 'yaml'
import type { Alias, Pair, ParsedNode, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import { readPlainYaml } from './plain-yaml.ts'
import type { Problems } from './problems.ts'
import { placeName } from './source.ts'
import type { Source, Spot } from './source.ts'
import { refused } from './tree.ts'
import type { Entry, MapTree, Tree } from './tree.ts'

/** Values that a file may stand for once its aliases are followed: an alias bomb stands for billions. */
const MOST_VALUES = 1_000_000
const DEEPEST = 100
/** One slip can make a parser complain of every line after it. */
const MOST_ERRORS = 10

/**
 * Reads YAML 1.2 (core schema, one document, `<<` merges) into a tree with places. Refused, each with its place:
 * duplicate keys, `.nan` and `.inf`, integers that a double cannot hold exactly, tags, alias bombs and circles.
 */
export function parseYaml(source: Source, problems: Problems): Tree | undefined {
  return readPlainYaml(source) ?? parseAnyYaml(source, problems)
}

/** The same by the library alone: all of YAML, and every message. */
export function parseAnyYaml(source: Source, problems: Problems): Tree | undefined {
  // duplicate keys are found by the reader: the library compares each key with all before it, and names one place
  const lineCounter = new LineCounter()
  const document = parseDocument(source.text, {
    lineCounter,
    uniqueKeys: false,
    intAsBigInt: true,
    prettyErrors: false,
    logLevel: 'silent',
  })
  for (const start of lineCounter.lineStarts) source.lines.addNewLine(start)
  const wrong = [...document.errors, ...document.warnings]
  if (wrong.length === 0) return new Reader(source, problems).root(document.contents)
  if (wrong.some(({ message }) => message.includes('call stack'))) tooLarge(source, problems)
  else for (const { message, pos } of wrong.slice(0, MOST_ERRORS)) syntaxError(message, source, pos[0], problems)
  return undefined
}

function syntaxError(message: string, source: Source, offset: number, problems: Problems): void {
  const { line } = source.lines.linePos(offset)
  const start = source.lines.lineStarts[line - 1] ?? 0
  const text = source.text.slice(start, source.text.indexOf('\n', offset) + 1 || undefined)
  // in `{ a: ${b} }` the braces of `${b}` are YAML's own: the most common slip, and the parser's words do not help
  const advice = /[{[,:]\s*\$\{/.test(text) ? " Inside { } and [ ], write a reference in quotes: '${name}'." : ''
  problems.add('YAML_SYNTAX', spotAt(source, offset), `${message.replace(/\.?$/, '.')}${advice}`)
}

function tooLarge(source: Source, problems: Problems): void {
  const limit = `At most ${MOST_VALUES} values in ${DEEPEST} levels are read, those behind aliases counted each time.`
  problems.add('YAML_TOO_LARGE', spotAt(source, 0), `"${source.name}" is too large or nested too deeply. ${limit}`)
}

const spotAt = (source: Source, offset: number): Spot => ({ source, offset })

type Node = ParsedNode | null

class Reader {
  readonly #source: Source
  readonly #problems: Problems
  readonly #anchors = new Map<string, Node>()
  readonly #open = new Set<Node>()
  #aliasDepth = 0
  #values = 0
  #isTooLarge = false

  constructor(source: Source, problems: Problems) {
    this.#source = source
    this.#problems = problems
  }

  root(node: Node): Tree | undefined {
    const tree = this.#read(node, 0)
    if (this.#isTooLarge) tooLarge(this.#source, this.#problems)
    return this.#isTooLarge ? undefined : tree
  }

  #read(node: Node, fallback: number, depth = 0): Tree | undefined {
    const at = this.#spot(node?.range[0] ?? fallback)
    if (++this.#values > MOST_VALUES || depth > DEEPEST) this.#isTooLarge = true
    if (this.#isTooLarge) return undefined
    if (node === null) return { kind: 'scalar', at, value: null }
    if (isAlias(node)) return this.#alias(node, at, depth)
    // an alias means the last anchor of its name before it: one met again behind an alias must not count
    if (node.anchor !== undefined && this.#aliasDepth === 0) this.#anchors.set(node.anchor, node)
    if (isScalar(node)) return this.#scalar(node, at)
    this.#open.add(node)
    const tree = isMap(node) ? this.#map(node, at, depth) : this.#list(node, at, depth)
    this.#open.delete(node)
    return tree
  }

  #alias(node: Alias.Parsed, at: Spot, depth: number): Tree | undefined {
    const target = this.#anchors.get(node.source)
    if (target === undefined || this.#open.has(target)) {
      const why = target === undefined ? 'has no anchor before it' : 'stands inside its own anchor'
      this.#problems.add('VALUE_INVALID', at, `The alias "*${node.source}" ${why}. Name an anchor that ends before it.`)
      return undefined
    }
    this.#aliasDepth++
    const tree = this.#read(target, at.offset, depth + 1)
    this.#aliasDepth--
    return tree
  }

  #scalar(node: Scalar, at: Spot): Tree | undefined {
    const { value } = node
    if (typeof value === 'bigint') return this.#integer(value, at)
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return { kind: 'scalar', at, value }
    if (typeof value === 'number' && Number.isFinite(value))
      return { kind: 'scalar', at, value: value === 0 ? 0 : value }
    const found = typeof value === 'number' ? String(value) : 'a value of another kind'
    this.#problems.add('VALUE_INVALID', at, `Expected a text, a number, true, false or null, found ${found}.`)
    return undefined
  }

  #integer(value: bigint, at: Spot): Tree | undefined {
    if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER)
      return { kind: 'scalar', at, value: Number(value) }
    const advice = `Write it in quotes, as text: '${value}'.`
    this.#problems.add(
      'NUMBER_INEXACT',
      at,
      `The integer ${value} is beyond ±9007199254740991 and cannot be kept exactly. ${advice}`,
    )
    return undefined
  }

  #list(node: YAMLSeq, at: Spot, depth: number): Tree | undefined {
    const items: Tree[] = []
    for (const item of node.items) {
      const tree = this.#read(item as Node, at.offset, depth + 1)
      items.push(tree ?? refused(at))
    }
    return { kind: 'list', at, items }
  }

  #map(node: YAMLMap, at: Spot, depth: number): Tree | undefined {
    const entries = new Map<string, Entry>()
    const merged: Entry[] = []
    for (const pair of node.items as Pair<Node, Node>[]) {
      if (!isPair(pair)) continue
      const offset = pair.key?.range[0] ?? at.offset
      const name = this.#key(pair.key, offset)
      const value = this.#read(pair.value, pair.key?.range[1] ?? offset, depth + 1)
      if (name === undefined) continue
      const entry = { keyAt: this.#spot(offset), value: value ?? refused(at) }
      if (isMergeKey(pair.key)) merged.push(entry)
      else if (entries.has(name)) this.#duplicate(name, entry, entries.get(name)!)
      else entries.set(name, entry)
    }
    return { kind: 'map', at, entries: merged.length === 0 ? entries : this.#merge(merged, entries) }
  }

  /** Keys are texts; a number as a key is its shortest form, so that `1` and `1.0` are one. */
  #key(node: Node, offset: number): string | undefined {
    const value: unknown = isScalar(node) ? node.value : undefined
    if (typeof value === 'string') return value
    if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
    this.#problems.add('KEY_INVALID', this.#spot(offset), 'A key must be a text. Write it in quotes.')
    return undefined
  }

  #duplicate(name: string, entry: Entry, first: Entry): void {
    const advice = `It stands at ${placeName(first.keyAt)} already. Remove one of the two.`
    this.#problems.add('KEY_DUPLICATE', entry.keyAt, `The key "${name}" is written twice. ${advice}`)
  }

  /** `<<`: what the map itself says wins, then earlier sources over later ones. */
  #merge(merged: readonly Entry[], own: ReadonlyMap<string, Entry>): ReadonlyMap<string, Entry> {
    const entries = new Map<string, Entry>()
    for (const { keyAt, value } of merged) {
      for (const source of value.kind === 'list' ? value.items : [value]) {
        if (source.kind === 'map') addMissing(entries, source)
        else this.#problems.add('VALUE_INVALID', keyAt, 'The merge key "<<" takes a map, or a list of maps.')
      }
    }
    for (const [name, entry] of own) entries.set(name, entry)
    return entries
  }

  #spot(offset: number): Spot {
    return spotAt(this.#source, offset)
  }
}

const isMergeKey = (node: Node): boolean => isScalar(node) && node.value === '<<' && node.type === 'PLAIN'

function addMissing(entries: Map<string, Entry>, source: MapTree): void {
  for (const [name, entry] of source.entries) if (!entries.has(name)) entries.set(name, entry)
}
