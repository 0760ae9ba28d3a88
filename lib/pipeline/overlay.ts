import { nearest } from '../util/nearest.ts'
import { didYouMean, someOf } from './problems.ts'
import type { Problems } from './problems.ts'
import { makeSource } from './source.ts'
import type { Spot } from './source.ts'
import { entriesOf } from './tree.ts'
import type { Entry, MapTree, Tree } from './tree.ts'
import { parseYaml } from './yaml.ts'

/** What a recipe may say: it lays over these keys of pipeline.yaml. */
const OVERLAID: ReadonlySet<string> = new Set(['version', 'params', 'stages', 'metrics', 'page', 'remote', 'trust'])

/** Lays one tree over another: maps merge by key, lists and scalars replace, null removes. */
export function overlay(base: Tree | undefined, over: Tree): Tree {
  if (over.kind !== 'map') return over
  const entries = new Map(entriesOf(base))
  for (const [name, entry] of over.entries) {
    if (isNull(entry.value)) entries.delete(name)
    else entries.set(name, { keyAt: entry.keyAt, value: overlay(entries.get(name)?.value, entry.value) })
  }
  return { kind: 'map', at: base?.kind === 'map' ? base.at : over.at, entries }
}

const isNull = (tree: Tree): boolean => tree.kind === 'scalar' && tree.value === null && !tree.refused

/** A recipe without what it cannot say, which is reported. */
export function readRecipe(recipe: Tree, problems: Problems): Tree | undefined {
  if (recipe.kind !== 'map') {
    problems.add('VALUE_INVALID', recipe.at, `A recipe must be a map with ${someOf(OVERLAID)}.`)
    return undefined
  }
  for (const [name, { keyAt }] of recipe.entries) {
    if (OVERLAID.has(name)) continue
    const advice = `${didYouMean(nearest(name, OVERLAID))} A recipe lays over: ${someOf(OVERLAID)}.`
    problems.add('KEY_UNKNOWN', keyAt, `"${name}" is not a key of a recipe.${advice}`)
  }
  return { ...recipe, entries: new Map([...recipe.entries].filter(([name]) => OVERLAID.has(name))) }
}

/** Lays `a.b=value` over the parameters; the value is YAML. Only what is there can be set: a slip must not pass. */
export function applySet(document: Tree, argument: string, problems: Problems): Tree {
  const setting = parseSet(argument, problems)
  if (!setting) return document
  const params = entriesOf(document).get('params')?.value
  const known = checkKnown(params, setting, problems)
  return known ? overlay(document, nest(['params', ...setting.path], setting.at, setting.value)) : document
}

export interface Setting {
  readonly path: readonly string[]
  readonly at: Spot
  readonly value: Tree
  /** The value as the user wrote it; undefined for a part of it. */
  readonly text: string | undefined
}

/** Reads `a.b=value`; `origin` is what messages call it. */
export function parseSet(argument: string, problems: Problems, origin = '--set'): Setting | undefined {
  const source = makeSource(origin, argument)
  source.lines.addNewLine(0)
  const at = { source, offset: 0 }
  const equals = argument.indexOf('=')
  const path = argument.slice(0, Math.max(0, equals)).split('.')
  const text = argument.slice(equals + 1)
  if (path.includes('') || text.trim() === '') {
    const advice = `Write ${origin} a.b=VALUE; ${origin === '--set' ? 'null removes the parameter, ' : ''}'' is the empty text.`
    problems.add('SET_INVALID', at, `"${argument}" does not say what to set. ${advice}`)
    return undefined
  }
  const value = parseYaml(makeSource(origin, text), problems)
  return value && { path, at, value: moveTo(value, { source, offset: equals + 1 }), text }
}

/** Points every part of the value at the argument as the user wrote it. */
function moveTo(tree: Tree, at: Spot): Tree {
  if (tree.kind === 'scalar') return { ...tree, at }
  if (tree.kind === 'list') return { ...tree, at, items: tree.items.map((item) => moveTo(item, at)) }
  const entries = new Map<string, Entry>()
  for (const [name, entry] of tree.entries) entries.set(name, { keyAt: at, value: moveTo(entry.value, at) })
  return { ...tree, at, entries }
}

/** Only what is there can be set: else says so, with the nearest name. */
export function checkKnown(
  params: Tree | undefined,
  { path, at, value }: Omit<Setting, 'text'>,
  problems: Problems,
): boolean {
  let tree = params
  for (const [depth, name] of path.entries()) {
    const entry = entriesOf(tree).get(name)
    if (!entry) {
      unknown(path.slice(0, depth), name, tree, at, problems)
      return false
    }
    tree = entry.value
  }
  if (value.kind !== 'map' || tree?.kind !== 'map') return true
  return [...value.entries].every(([name, entry]) =>
    checkKnown(params, { path: [...path, name], at, value: entry.value }, problems),
  )
}

function unknown(above: readonly string[], name: string, tree: Tree | undefined, at: Spot, problems: Problems): void {
  const names = [...entriesOf(tree).keys()]
  const full = (last: string): string => [...above, last].join('.')
  const near = nearest(name, names)
  const there = names.length === 0 ? '' : ` There is: ${someOf(names.map(full))}.`
  const advice = near === undefined ? there : didYouMean(full(near))
  problems.add(
    'PARAM_UNKNOWN',
    at,
    `There is no parameter "${full(name)}" to set.${advice} A new one belongs under \`params:\`.`,
  )
}

function nest(path: readonly string[], at: Spot, value: Tree): MapTree {
  const [name, ...rest] = path
  const inner = rest.length === 0 ? value : nest(rest, at, value)
  return { kind: 'map', at, entries: new Map([[name!, { keyAt: at, value: inner }]]) }
}
