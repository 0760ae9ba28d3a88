import type { Place } from '../util/failure.ts'
import { toRecord } from '../util/record.ts'
import type { Output } from './outputs.ts'
import { placeOf } from './source.ts'
import type { Spot } from './source.ts'
import { entriesOf } from './tree.ts'
import type { Tree } from './tree.ts'

/** Items of a list that get a place of their own: a longer list is data, and is named as a whole. */
const MOST_ITEMS = 32

/** Where each part of a stage was written, by dotted path: `run`, `with.temperature`, `in.student`, `out.page`. */
export function placesOf(
  stage: Tree,
  bound: { readonly in: Tree | undefined; readonly with: Tree | undefined },
  outputs: ReadonlyMap<string, Output> | undefined,
): Readonly<Record<string, Place>> {
  const places: [string, Place][] = []
  for (const [key, { keyAt }] of entriesOf(stage)) places.push([key, placeOf(keyAt)])
  for (const key of ['in', 'with'] as const) collect(bound[key], key, places)
  for (const [name, { at }] of outputs ?? []) places.push([`out.${name}`, placeOf(at)])
  return toRecord(places)
}

function collect(tree: Tree | undefined, path: string, places: [string, Place][]): void {
  const add = (name: string, value: Tree, at: Spot): void => {
    places.push([`${path}.${name}`, placeOf(at)])
    collect(value, `${path}.${name}`, places)
  }
  if (tree?.kind === 'list' && tree.items.length <= MOST_ITEMS) {
    for (const [index, item] of tree.items.entries()) add(String(index), item, item.at)
  }
  for (const [name, { value }] of entriesOf(tree)) add(name, value, value.at)
}
