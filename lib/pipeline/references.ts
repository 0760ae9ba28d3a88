import { nearest } from '../util/nearest.ts'
import { someOf } from './problems.ts'
import type { Problems } from './problems.ts'
import type { Spot } from './source.ts'
import { joinTexts, parseTemplate } from './template.ts'
import type { Reference, Template, TemplatePart } from './template.ts'
import { describe, entriesOf, mapEntries, mapItems, sizeOf } from './tree.ts'
import type { Entry, ScalarTree, Tree } from './tree.ts'

/** First names of references that are no parameters: they wait for a cell or for a command's values. */
export type Scope = ReadonlySet<string>
export const NO_SCOPE: Scope = new Set()
export const RESERVED_PARAMS: readonly string[] = ['matrix', 'in', 'out', 'with']

/** References that refer to references that refer …: more are a mistake, and would overflow the stack. */
const DEEPEST = 100
/** Values that references may stand for in all: `a: [${b}, ${b}]`, `b: [${c}, ${c}]`, … stands for billions. */
const MOST_VALUES = 2_000_000

/** Puts parameters in the place of `${a.b}`. Each parameter is resolved once and shared from then on. */
export class References {
  readonly #params: Tree | undefined
  readonly #problems: Problems
  readonly #resolved = new Map<Tree, Tree | undefined>()
  readonly #sizes = new Map<Tree, number>()
  readonly #used = new Set<Tree>()
  /** By text: many stages have the same. */
  readonly #templates = new Map<string, Template>()
  /** The references being followed, outermost first: a target met again in it is a cycle. */
  readonly #following: { readonly target: Tree; readonly name: string }[] = []
  #values = 0

  constructor(params: Tree | undefined, problems: Problems) {
    this.#params = params
    this.#problems = problems
  }

  /** The tree with its references resolved; those that `scope` names stay, as pending text. Undefined after a problem. */
  resolve(tree: Tree, scope: Scope): Tree | undefined {
    if (tree.kind === 'scalar') return this.#scalar(tree, scope)
    if (tree.kind === 'list') return mapItems(tree, (item) => this.resolve(item, scope))
    return mapEntries(tree, (value) => this.resolve(value, scope))
  }

  /** The parameters that nothing refers to: of a subtree that is wholly unused, its root alone. */
  unused(): { readonly name: string; readonly at: Spot }[] {
    const found: { name: string; at: Spot }[] = []
    for (const [name, entry] of entriesOf(this.#params)) this.#collectUnused(name, entry, found)
    return found
  }

  #scalar(tree: ScalarTree, scope: Scope): Tree | undefined {
    if (tree.refused) return undefined
    const template = typeof tree.value === 'string' ? this.#template(tree.value) : undefined
    if (!template) return tree
    const [first] = template
    if (template.length === 1 && typeof first === 'object' && !scope.has(first.path[0] ?? ''))
      return this.#follow(first, tree)
    const parts = template.map((part) => this.#part(part, tree, scope))
    if (parts.includes(undefined)) return undefined
    return withTemplate(tree, joinTexts(parts as Template))
  }

  #template(text: string): Template | undefined {
    if (!text.includes('${')) return undefined
    let template = this.#templates.get(text)
    if (template === undefined) this.#templates.set(text, (template = parseTemplate(text)))
    return template
  }

  #part(part: TemplatePart, tree: ScalarTree, scope: Scope): TemplatePart | undefined {
    if (typeof part === 'string' || scope.has(part.path[0] ?? '')) return part
    const value = this.#follow(part, tree)
    return value && standsInText(value, part, tree, this.#problems)
  }

  #follow(reference: Reference, from: ScalarTree): Tree | undefined {
    const at = spotOf(reference, from)
    const target = this.#find(reference, at)
    if (!target) return undefined
    const value = this.#once(target, reference.path.join('.'), at)
    return value && this.#isAffordable(value, at) ? value : undefined
  }

  #once(target: Tree, name: string, at: Spot): Tree | undefined {
    this.#used.add(target)
    if (this.#resolved.has(target)) return this.#resolved.get(target)
    if (this.#isCycle(target, name, at)) return undefined
    this.#following.push({ target, name })
    const value = this.resolve(target, NO_SCOPE)
    this.#following.pop()
    this.#resolved.set(target, value)
    return value
  }

  /** Walks the parameters as written; where a step is itself a reference, walks on in what it stands for. */
  #find(reference: Reference, at: Spot): Tree | undefined {
    let tree = this.#params
    for (const [depth, name] of reference.path.entries()) {
      let inner = tree
      if (depth > 0 && tree?.kind === 'scalar') {
        inner = this.#once(tree, reference.path.slice(0, depth).join('.'), at)
        if (!inner) return undefined
      }
      const entry = entriesOf(inner).get(name)
      if (!entry) return this.#unknown(reference, depth, inner, at)
      tree = entry.value
    }
    if (reference.path.length === 0) this.#invalid(reference, at)
    return reference.path.length === 0 ? undefined : tree
  }

  #isCycle(target: Tree, name: string, at: Spot): boolean {
    const start = this.#following.findIndex((step) => step.target === target)
    if (start === -1 && this.#following.length < DEEPEST) return false
    const path = [...this.#following.slice(Math.max(0, start)).map((step) => step.name), name]
    const message =
      start === -1
        ? `More than ${DEEPEST} references follow one another: ${someOf(path)}.`
        : `The references form a cycle: ${path.join(' → ')}. Give one of them a value.`
    this.#problems.add('PARAM_CYCLE', at, message)
    return true
  }

  #isAffordable(value: Tree, at: Spot): boolean {
    let size = this.#sizes.get(value)
    if (size === undefined) this.#sizes.set(value, (size = sizeOf(value)))
    this.#values += size
    if (this.#values <= MOST_VALUES) return true
    if (this.#values - size > MOST_VALUES) return false
    this.#problems.add('YAML_TOO_LARGE', at, `The references stand for more than ${MOST_VALUES} values.`)
    return false
  }

  #unknown(reference: Reference, depth: number, inner: Tree | undefined, at: Spot): Tree | undefined {
    const names = [...entriesOf(inner).keys()]
    const above = reference.path.slice(0, depth)
    const near = nearest(reference.path[depth]!, names)
    const full = (name: string): string => [...above, name].join('.')
    const there = names.length === 0 ? '' : ` There is: ${someOf(names.map(full))}.`
    const message = `There is no parameter "${reference.path.slice(0, depth + 1).join('.')}".`
    const advice = near === undefined ? there : ` Did you mean "\${${full(near)}}"?`
    this.#problems.add(
      'PARAM_UNKNOWN',
      at,
      message + (RESERVED_PARAMS.includes(reference.path[0]!) ? outOfScope(reference) : advice),
    )
    return undefined
  }

  #invalid(reference: Reference, at: Spot): void {
    const advice = 'Write ${name} or ${group.name}; a literal "${" is written "$${".'
    this.#problems.add('REFERENCE_INVALID', at, `"${reference.text}" names no parameter. ${advice}`)
  }

  #collectUnused(name: string, { keyAt, value }: Entry, found: { name: string; at: Spot }[]): void {
    if (this.#used.has(value)) return
    if (!this.#isUsedBelow(value)) {
      found.push({ name, at: keyAt })
      return
    }
    for (const [child, entry] of entriesOf(value)) this.#collectUnused(`${name}.${child}`, entry, found)
  }

  #isUsedBelow(tree: Tree): boolean {
    return [...entriesOf(tree).values()].some(({ value }) => this.#used.has(value) || this.#isUsedBelow(value))
  }
}

/** A text with its references in place: plain text where none is left. */
export function withTemplate(tree: ScalarTree, template: Template): ScalarTree {
  const text = template.map((part) => (typeof part === 'string' ? part : part.text)).join('')
  const { at } = tree
  return template.every((part) => typeof part === 'string')
    ? { kind: 'scalar', at, value: text }
    : { kind: 'scalar', at, value: text, pending: template }
}

/** A value as part of a text: the same for `1`, `1.0` and `1e0`. A map, a list or null has no such form. */
export function standsInText(
  value: Tree,
  reference: Reference,
  from: ScalarTree,
  problems: Problems,
): string | undefined {
  if (value.kind === 'scalar' && value.value !== null) return String(value.value)
  const message = `"${reference.text}" is ${describe(value)}, which cannot stand inside a text. Name one value in it.`
  problems.add('REFERENCE_INVALID', spotOf(reference, from), message)
  return undefined
}

/** Where a reference stands; the text's own place where escapes or line breaks hide it. */
export function spotOf(reference: Reference, { at }: ScalarTree): Spot {
  const { text } = at.source
  const quote = /["']/.test(text.charAt(at.offset)) ? 1 : 0
  const offset = at.offset + quote + reference.index
  return text.startsWith(reference.text, offset) ? { source: at.source, offset } : at
}

function outOfScope({ path }: Reference): string {
  if (path[0] === 'matrix') return ' `${matrix.…}` stands in `in`, `with` and `cmd` of a stage that has a `matrix`.'
  return ` \`\${${path[0]!}.…}\` stands in \`cmd\` alone.`
}
