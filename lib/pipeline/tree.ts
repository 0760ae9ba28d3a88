import type { Json, JsonObject } from '../util/json.ts'
import { toRecord } from '../util/record.ts'
import { isWhole } from '../util/whole.ts'
import type { Spot } from './source.ts'
import type { Template } from './template.ts'

/** A value that knows where each part of it was written. Never changed once made, so that parts may be shared. */
export type Tree = ScalarTree | ListTree | MapTree

export interface ScalarTree {
  readonly kind: 'scalar'
  readonly at: Spot
  readonly value: null | boolean | number | string
  /** A text in which `${}` wait for a cell or for a command's paths: what is known already stands as text. */
  readonly pending?: Template
  /** Stands where a value was refused: what it would have been is not known, so nothing more is said of it. */
  readonly refused?: true
}
export interface ListTree {
  readonly kind: 'list'
  readonly at: Spot
  readonly items: readonly Tree[]
}
/** A Map and not an object: `__proto__`, `constructor` and `1` are names like any other, in the order written. */
export interface MapTree {
  readonly kind: 'map'
  readonly at: Spot
  readonly entries: ReadonlyMap<string, Entry>
}
export interface Entry {
  readonly keyAt: Spot
  readonly value: Tree
}

/** What stands in the place of a value that was refused. */
export const refused = (at: Spot): ScalarTree => ({ kind: 'scalar', at, value: null, refused: true })

export const isRefused = (tree: Tree | undefined): boolean => tree?.kind === 'scalar' && tree.refused === true

const NO_ENTRIES: ReadonlyMap<string, Entry> = new Map()

/** The entries of a map; none for anything else, whose wrong type the schema reports. */
export const entriesOf = (tree: Tree | undefined): ReadonlyMap<string, Entry> =>
  tree?.kind === 'map' ? tree.entries : NO_ENTRIES

export const child = (tree: Tree | undefined, name: string): Tree | undefined => entriesOf(tree).get(name)?.value

export const itemsOf = (tree: Tree | undefined): readonly Tree[] => (tree?.kind === 'list' ? tree.items : [])

export const textOf = (tree: Tree | undefined): string | undefined =>
  tree?.kind === 'scalar' && typeof tree.value === 'string' ? tree.value : undefined

/** The map with its values changed, `undefined` standing for refused; itself where nothing changed. */
export function mapEntries(map: MapTree, change: (value: Tree, key: string) => Tree | undefined): MapTree {
  let entries: Map<string, Entry> | undefined
  for (const [key, entry] of map.entries) {
    const value = change(entry.value, key) ?? refused(entry.value.at)
    if (value !== entry.value) (entries ??= new Map(map.entries)).set(key, { keyAt: entry.keyAt, value })
  }
  return entries ? { kind: 'map', at: map.at, entries } : map
}

/** The list with its items changed, `undefined` left out; itself where nothing changed. */
export function mapItems(list: ListTree, change: (item: Tree) => Tree | undefined): ListTree {
  const changed = list.items.map((item) => change(item))
  if (changed.every((item, i) => item === list.items[i])) return list
  const items = isWhole(changed) ? changed : changed.filter((item) => item !== undefined)
  return { kind: 'list', at: list.at, items }
}

/** As JSON, its objects without a prototype; what was refused is left out. */
export function toJson(tree: Tree): Json {
  if (tree.kind === 'scalar') return tree.value
  if (tree.kind === 'list') return tree.items.map(toJson)
  return toJsonObject(tree)
}

export function toJsonObject(tree: Tree | undefined): JsonObject {
  const json = toRecord<Json>([])
  for (const [name, { value }] of entriesOf(tree)) if (!isRefused(value)) json[name] = toJson(value)
  return json
}

/** How many values stand in a tree, itself counted; shared parts count each time. */
export function sizeOf(tree: Tree): number {
  if (tree.kind === 'scalar') return 1
  if (tree.kind === 'list') return tree.items.reduce((sum, item) => sum + sizeOf(item), 1)
  let sum = 1
  for (const { value } of tree.entries.values()) sum += sizeOf(value)
  return sum
}

/** For messages: `a map`, `a list`, `the text "a"`, `true`. */
export function describe(tree: Tree): string {
  if (tree.kind === 'map') return 'a map'
  if (tree.kind === 'list') return 'a list'
  if (tree.value === null) return 'nothing (null)'
  return typeof tree.value === 'string' ? `the text "${shorten(tree.value)}"` : String(tree.value)
}

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}…` : text)
