import { Document, Scalar, isAlias, isCollection, isMap, isScalar, parseDocument, visit } from 'yaml'
import type { Node, ParsedNode } from 'yaml'
import type { Failure, Place } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { checkKnown, parseSet } from './overlay.ts'
import type { Setting } from './overlay.ts'
import { Problems } from './problems.ts'
import { makeSource, placeOf } from './source.ts'
import type { Spot } from './source.ts'
import { child, entriesOf, toJson } from './tree.ts'
import type { Tree } from './tree.ts'
import { parseYaml } from './yaml.ts'

/** A parameter whose value is another one now. */
export interface Edit {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly place: Place
}

export interface Edited {
  readonly text: string
  readonly edits: readonly Edit[]
}

/**
 * Writes `a.b=value` settings into the text of a YAML file under `params:`. Only the values' own characters change;
 * comments, layout and the quotes around a text stay. `file` is what messages call it.
 */
export function editParameters(file: string, text: string, settings: readonly string[]): Result<Edited, Failure[]> {
  const problems = new Problems()
  const before = parse(file, text, problems)
  let edited = text
  for (const argument of settings) {
    const setting = parseSet(argument, problems, 'set')
    const params = child(parse(file, edited, problems), 'params')
    if (!setting || !checkKnown(params, setting, problems)) continue
    for (const leaf of leavesOf(setting, params)) edited = editOne(file, edited, leaf, problems)
  }
  if (problems.any) return err(problems.list())
  return ok({
    text: edited,
    edits: editsBetween(child(before, 'params'), child(parse(file, edited, problems), 'params')),
  })
}

const parse = (file: string, text: string, problems: Problems): Tree | undefined =>
  parseYaml(makeSource(file, text), problems)

/** A map sets what stands in it and leaves the rest of the map that is there, as `--set` does. */
function leavesOf(setting: Setting, params: Tree | undefined): Setting[] {
  const { path, at, value } = setting
  const there = path.reduce<Tree | undefined>(child, params)
  if (value.kind !== 'map' || there?.kind !== 'map') return [setting]
  return [...value.entries].flatMap(([name, entry]) =>
    leavesOf({ path: [...path, name], at, value: entry.value, text: undefined }, params),
  )
}

function editOne(file: string, text: string, setting: Setting, problems: Problems): string {
  const { path, at, value } = setting
  const name = path.join('.')
  if (value.kind === 'scalar' && value.value === null) {
    problems.add('SET_INVALID', at, `"${name}" cannot be set to null. To remove a parameter, remove its line.`)
    return text
  }
  const found = find(parseDocument(text, { uniqueKeys: false, logLevel: 'silent' }).contents, ['params', ...path])
  const tree = path.reduce<Tree | undefined>(child, child(parse(file, text, new Problems()), 'params'))
  if (found === undefined) {
    const advice = 'It is written behind an alias or "<<": change it there by hand.'
    problems.add('SET_INVALID', tree?.at ?? at, `The value of "${name}" does not stand at its own name. ${advice}`)
    return text
  }
  const [start, end] = rangeOf(found.node, text)
  const written = writeValue(setting, found)
  // an empty value touches its colon; a list may stand no deeper than its key, where brackets may not
  for (const space of start === end ? [' '] : ['', '  ']) {
    const edited = text.slice(0, start) + space + written + text.slice(end)
    if (holds(file, edited, path, value)) return edited
  }
  problems.add('SET_INVALID', tree?.at ?? at, `The value of "${name}" cannot be written in its place. Edit it by hand.`)
  return text
}

interface Found {
  readonly node: ParsedNode
  /** It stands inside [ ] or { }. */
  readonly inFlow: boolean
}

function find(root: ParsedNode | null, path: readonly string[]): Found | undefined {
  let node: unknown = root
  let inFlow = false
  for (const name of path) {
    if (!isMap(node)) return undefined
    inFlow ||= node.flow === true
    node = node.items.find(({ key }) => isScalar(key) && String(key.value) === name)?.value
  }
  return node === undefined || node === null ? undefined : { node: node as ParsedNode, inFlow }
}

/** Where the value stands, without the line breaks that end a block. */
function rangeOf({ range: [start, end] }: ParsedNode, text: string): [number, number] {
  return [start, start + text.slice(start, end).trimEnd().length]
}

/** A number or a list as the user wrote it; a text in the quotes that are there, or that it needs. */
function writeValue({ text, value }: Setting, { node, inFlow }: Found): string {
  const json = toJson(value)
  if (typeof json !== 'string') return (text === undefined ? undefined : asWritten(text)) ?? flowText(json)
  const scalar = new Scalar(json)
  const quoted = isScalar(node) && (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE')
  scalar.type = json.includes('\n') ? 'QUOTE_DOUBLE' : quoted ? node.type! : 'PLAIN'
  return inFlow ? flowText([scalar]).slice(1, -1) : new Document(scalar).toString({ lineWidth: 0 }).trimEnd()
}

/** The value's own characters, if they mean the same anywhere: one line without anchors, comments or block style. */
function asWritten(text: string): string | undefined {
  const node = parseDocument(text).contents
  if (node === null) return undefined
  const own = text.slice(node.range[0], node.range[1])
  let plain = !/[\n#]/.test(own)
  visit(node, (_, part) => {
    if (isAlias(part) || (isCollection(part) && part.flow !== true) || hasAnchor(part)) plain = false
  })
  return plain ? own : undefined
}

const hasAnchor = (part: unknown): boolean => (part as Partial<Pick<Scalar, 'anchor'>> | null)?.anchor !== undefined

function flowText(value: unknown): string {
  const document = new Document<Node>(value)
  if (isCollection(document.contents)) {
    visit(document, { Collection: (_, part) => void (part.flow = true) })
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: !Array.isArray(value) }).trimEnd()
}

/** The text is YAML without mistakes in which the parameter has the value. */
function holds(file: string, text: string, path: readonly string[], value: Tree): boolean {
  const problems = new Problems()
  const params = child(parse(file, text, problems), 'params')
  const there = path.reduce<Tree | undefined>(child, params)
  return !problems.any && there !== undefined && JSON.stringify(toJson(there)) === JSON.stringify(toJson(value))
}

/** More than was asked for where aliases repeat a value. */
function editsBetween(before: Tree | undefined, after: Tree | undefined, above = ''): Edit[] {
  return [...entriesOf(after)].flatMap(([name, { value }]) => {
    const full = above + name
    const old = child(before, name)
    if (old?.kind === 'map' && value.kind === 'map') return editsBetween(old, value, `${full}.`)
    const [from, to] = [old ? JSON.stringify(toJson(old)) : 'nothing', JSON.stringify(toJson(value))]
    return from === to ? [] : [{ name: full, from, to, place: placeOf(value.at satisfies Spot) }]
  })
}
