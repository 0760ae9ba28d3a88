import { RESERVED_PARAMS } from './references.ts'
import { parseTemplate } from './template.ts'
import { child, entriesOf, itemsOf, textOf } from './tree.ts'
import type { MapTree, Tree } from './tree.ts'

export type Schema = Readonly<Record<string, unknown>>

/** One place where a stage takes a parameter: what the stage asks of the value there. */
interface Use {
  readonly schema: Schema
  readonly stage: string
  /** What the stage calls it. */
  readonly as: string
}

/** A place in `params:` that stages refer to, and those within it. */
interface Node {
  readonly uses: Use[]
  readonly inner: Map<string, Node>
}

/**
 * The schema of `params:`, from how the stages of a pipeline.yaml, as it is written, refer to them: a parameter has to be
 * what every stage asks that takes it. `stageOf` gives the schema of a stage by its `run:`. What nothing refers to, and what
 * stands in the middle of a text, may be anything.
 */
export function paramsSchema(document: MapTree, stageOf: (run: string | undefined) => Schema): Schema {
  const uses = new Uses(child(document, 'params'))
  for (const [name, { value }] of entriesOf(child(document, 'stages')))
    uses.gather(value, stageOf(textOf(child(value, 'run'))), [name], child(value, 'matrix'))
  return objectOf(uses.root)
}

class Uses {
  readonly root: Node = { uses: [], inner: new Map() }
  readonly #params: Tree | undefined
  /** What was followed already: parameters may refer to one another, and to what many stages take. */
  readonly #seen = new Map<Tree, Set<string>>()

  constructor(params: Tree | undefined) {
    this.#params = params
  }

  /** Goes through a value and its schema side by side; `path` is where the value stands, the stage first. */
  gather(tree: Tree, schema: Schema, path: readonly string[], matrix: Tree | undefined): void {
    for (const [name, { value }] of entriesOf(tree)) {
      const inner = propertyOf(schema, name)
      if (inner) this.gather(value, inner, [...path, name], matrix)
    }
    const items = schema['items'] as Schema | undefined
    if (items) for (const item of itemsOf(tree)) this.gather(item, items, path, matrix)
    const reference = referenceIn(tree)
    if (!reference) return
    if (reference[0] === 'matrix') this.#gatherAxis(reference, schema, path, matrix)
    else if (!RESERVED_PARAMS.includes(reference[0]!)) this.#use(reference, schema, path)
  }

  /** An axis has values of which each is what the schema says. */
  #gatherAxis([, axis, ...rest]: readonly string[], schema: Schema, path: readonly string[], matrix: Tree | undefined) {
    const values = child(matrix, axis ?? '')
    if (!values || rest.length > 0) return
    const all = { type: ['array', 'object'], items: schema, additionalProperties: schema }
    this.gather(values, { ...all, description: schema['description'] }, path, undefined)
  }

  #use(reference: readonly string[], schema: Schema, path: readonly string[]): void {
    let node = this.root
    let tree = this.#params
    for (const [depth, name] of reference.entries()) {
      // a step that is itself a reference: what it stands for is what is taken
      const elsewhere = tree && referenceIn(tree)
      if (elsewhere) {
        this.#use([...elsewhere, ...reference.slice(depth)], schema, path)
        return
      }
      tree = child(tree, name)
      if (!node.inner.has(name)) node.inner.set(name, { uses: [], inner: new Map() })
      node = node.inner.get(name)!
    }
    if (!tree || this.#wasSeen(tree, path.join('.'))) return
    node.uses.push({ schema, stage: path[0]!, as: nameOf(path) })
    this.gather(tree, schema, path, undefined)
  }

  #wasSeen(tree: Tree, at: string): boolean {
    const seen = this.#seen.get(tree) ?? new Set()
    this.#seen.set(tree, seen)
    const was = seen.has(at)
    seen.add(at)
    return was
  }
}

/** The path of `${a.b}` that stands alone. */
function referenceIn(tree: Tree): readonly string[] | undefined {
  const text = textOf(tree)
  const [part, ...more] = text?.includes('${') ? parseTemplate(text) : []
  return typeof part === 'object' && more.length === 0 && part.path.length > 0 ? part.path : undefined
}

function propertyOf(schema: Schema, name: string): Schema | undefined {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>
  if (Object.hasOwn(properties, name)) return properties[name]
  const others = schema['additionalProperties']
  return typeof others === 'object' ? (others as Schema) : undefined
}

/** distill, with, temperature → `temperature` */
function nameOf([, part, ...rest]: readonly string[]): string {
  const name = part === 'with' || part === 'in' ? rest : [part, ...rest]
  return name.length === 0 ? 'its parameters' : `\`${name.join('.')}\``
}

function schemaOf(node: Node): Schema {
  const within = node.inner.size > 0 ? [objectOf(node)] : []
  const schemas = new Map(node.uses.map(({ schema }) => [JSON.stringify(withoutWords(schema)), withoutWords(schema)]))
  if (within.length > 0) schemas.delete(ANY_MAP)
  const asked = [...schemas.values()]
  const all = [...asked, ...within]
  const said = wordsOf(node.uses)
  return all.length > 1 ? { ...said, allOf: all } : { ...said, ...all[0] }
}

const objectOf = ({ inner }: Node): Schema => ({
  type: 'object',
  properties: Object.fromEntries([...inner].map(([name, one]) => [name, schemaOf(one)])),
})

const withoutWords = (schema: Schema): Schema =>
  Object.fromEntries(Object.entries(schema).filter(([name]) => name !== 'description' && name !== 'default'))

const ANY_MAP = JSON.stringify({ type: 'object' })

/** What stages say of it, once where they say the same, and which take it; the default where there is one. */
function wordsOf(uses: readonly Use[]): Schema {
  if (uses.length === 0) return {}
  const descriptions = grouped(uses, ({ schema }) => (schema['description'] ?? '') as string).map(([said, takers]) => {
    const names = grouped(takers, ({ as }) => as).map(
      ([as, all]) => `${as} of ${all.map(({ stage }) => stage).join(', ')}`,
    )
    return `${said}${said === '' ? '' : '\n\n'}(${names.join('; ')})`
  })
  const defaults = grouped(uses, ({ schema }) => JSON.stringify(schema['default']))
  const [otherwise, ...others] = defaults.map(([, [use]]) => use?.schema['default'])
  return {
    description: descriptions.join('\n\n'),
    ...(otherwise === undefined || others.length > 0 ? {} : { default: otherwise }),
  }
}

function grouped<T>(all: readonly T[], by: (one: T) => string | undefined): [string, T[]][] {
  const groups = new Map<string, T[]>()
  for (const one of all) {
    const key = by(one) ?? ''
    groups.set(key, [...(groups.get(key) ?? []), one])
  }
  return [...groups]
}
