import type { DType, RunNode, Shape } from '../../graph/index.ts'
import { depthOf, flatten, keyOf, plus, textOf, unflatten, whole, zero } from './coordinates.ts'
import type { Coordinate, Coordinates, Divide, Variable } from './coordinates.ts'
import type { LowOp } from './lower.ts'
import { isPointOp, literal, operations, typeOf } from './operations.ts'

/** What an expression reads of the world around it. */
export interface Surroundings {
  /** C for a node's entry at a place where it is there already; undefined where it is to be computed. */
  read(node: RunNode, place: Coordinate): string | undefined
  /** C for the first place, from 1 on, of a scatterAdd's row; 0 where there is none. */
  first(node: RunNode, row: Coordinate): string
  /** C for the place that follows in the same row. */
  next(node: RunNode, place: string): string
  /** C of the int that an index outside of its axis sets. */
  fault(): string
}

interface Scope {
  /** Run once for each entry of a row, unlike a branch, which may not be run at all. */
  readonly isLoop: boolean
  readonly lines: string[]
  readonly known: Map<string, string>
}

/** Writes C that computes entries of nodes, each expression once in a scope, and outside of the loop what it does not change. */
export class Emitter {
  private scopes: Scope[] = [{ isLoop: false, lines: [], known: new Map() }]
  private readonly ids = new Map<RunNode, number>()
  private names = 0

  private readonly around: Surroundings

  constructor(around: Surroundings) {
    this.around = around
  }

  get lines(): readonly string[] {
    return this.scopes[0]!.lines
  }

  line(text: string): void {
    this.scopes.at(-1)!.lines.push(text)
  }

  name(letter: string): string {
    return `${letter}${this.names++}`
  }

  /** `head { … }` */
  block(head: string, body: () => void, isLoop = false): void {
    this.scopes.push({ isLoop, lines: [], known: new Map() })
    body()
    const { lines } = this.scopes.pop()!
    this.line(`${head} {`)
    for (const one of lines) this.line(`  ${one}`)
    this.line('}')
  }

  /** The C name, or the literal, of a node's entry. */
  value(node: RunNode, at: Coordinates): string {
    if (node.op === 'constant' && node.attributes.data.length === 1)
      return literal(node.attributes.data[0]!, node.dtype)
    const place = flatten(at, node.shape)
    const key = `${this.id(node)}@${keyOf(place)}`
    const known = this.scopes.findLast((scope) => scope.known.has(key))?.known.get(key)
    if (known !== undefined) return known
    return this.hoisted(Math.max(0, ...at.map(depthOf)), () => {
      const name = this.entry(node, at, place)
      this.scopes.at(-1)!.known.set(key, name)
      return name
    })
  }

  /** What does not depend on the loop goes before it, unless it stands under a condition. */
  private hoisted(depth: number, emit: () => string): string {
    if (!this.scopes.at(-1)!.isLoop || depth >= 1) return emit()
    const all = this.scopes
    this.scopes = all.slice(0, 1)
    try {
      return emit()
    } finally {
      this.scopes = all
    }
  }

  private entry(node: RunNode, at: Coordinates, place: Coordinate): string {
    const read = this.around.read(node, place)
    if (read !== undefined) return this.declare(node.dtype, read)
    if (isPointOp(node)) {
      const operands = inputsOf(node).map((from) => this.value(from, aligned(at, from.shape)))
      const { text } = operations[node.op] as { text: (operands: readonly string[], node: RunNode) => string }
      return this.declare(node.dtype, text(operands, node))
    }
    const compute = this.computes[node.op as Exclude<LowOp, keyof typeof operations>] as
      ((node: RunNode, at: Coordinates) => string) | undefined
    if (!compute) throw new Error(`Internal error: "${node.op}" is not in memory where it is read`)
    return compute(node, at)
  }

  private declare(dtype: DType, text: string): string {
    const name = this.name('v')
    this.line(`const ${typeOf(dtype)} ${name} = ${text};`)
    return name
  }

  private readonly computes: {
    readonly [N in RunNode['op']]?: (node: Extract<RunNode, { op: N }>, at: Coordinates) => string
  } = {
    iota: (node, at) => this.declare('int32', `(int)(${textOf(at[node.attributes.axis]!)})`),
    reshape: (node, at) => {
      const [from] = inputsOf(node)
      return this.value(from!, unflatten(flatten(at, node.shape), from!.shape, this.divide))
    },
    broadcastTo: (node, at) => this.value(inputsOf(node)[0]!, aligned(at, inputsOf(node)[0]!.shape)),
    transpose: (node, at) => {
      const { perm } = node.attributes
      return this.value(
        inputsOf(node)[0]!,
        perm.map((_, axis) => at[perm.indexOf(axis)]!),
      )
    },
    slice: (node, at) =>
      this.value(
        inputsOf(node)[0]!,
        at.map((one, axis) => plus(one, node.attributes.starts[axis]!)),
      ),
    pad: (node, at) => {
      const [from] = inputsOf(node)
      const moved = at.map((one, axis) => plus(one, -node.attributes.before[axis]!))
      const inside = moved.flatMap((one, axis) =>
        node.shape[axis] === from!.shape[axis] ? [] : [within(one, from!.shape[axis]!)],
      )
      return this.either(node, [
        { when: inside.join(' && ') || 'true', value: () => this.value(from!, moved) },
        { when: undefined, value: () => '0.0f' },
      ])
    },
    concat: (node, at) => this.concat(node, at),
    gather: (node, at) => {
      const [table, ids] = inputsOf(node)
      const rank = ids!.shape.length
      const row = this.index(this.value(ids!, at.slice(0, rank)), table!.shape[0]!)
      return this.value(table!, [row, ...at.slice(rank)])
    },
    takeAlong: (node, at) => {
      const [x, ids] = inputsOf(node)
      return this.value(x!, [...at, this.index(this.value(ids!, at), x!.shape.at(-1)!)])
    },
    putAlong: (node, at) => {
      const [ids, updates] = inputsOf(node)
      const row = at.slice(0, -1)
      const [id, update] = [this.value(ids!, row), this.value(updates!, row)]
      return this.declare(node.dtype, `${id} == ${textOf(at.at(-1)!)} ? ${update} : 0.0f`)
    },
    scatterAdd: (node, at) => this.scatterAdd(node, at),
    dynamicUpdateSlice: (node, at) => {
      const [x, update, start] = inputsOf(node)
      const { axis } = node.attributes
      const length = update!.shape[axis]!
      const from = this.start(this.value(start!, []), node.shape[axis]!, length)
      const moved = this.variable(`(${textOf(at[axis]!)}) - ${from.name}`, node.shape[axis]!)
      const inside = at.map((one, index) => (index === axis ? whole(moved) : one))
      return this.either(node, [
        { when: `${moved.name} >= 0 && ${moved.name} < ${length}`, value: () => this.value(update!, inside) },
        { when: undefined, value: () => this.value(x!, at) },
      ])
    },
  }

  /** Where a part of so many entries begins; one that does not fit in is a fault, and taken as 0. */
  start(value: string, whole: number, length: number): Variable {
    return this.checked(value, whole - length + 1)
  }

  private concat(node: Extract<RunNode, { op: 'concat' }>, at: Coordinates): string {
    const { axis } = node.attributes
    const place = at[axis]!
    let start = 0
    const parts = inputsOf(node).map((from, i, all) => {
      const begin = start
      const moved = at.map((one, index) => (index === axis ? plus(one, -begin) : one))
      start += from.shape[axis]!
      const when = i === all.length - 1 ? undefined : `${textOf(place)} < ${start}`
      return { when, value: () => this.value(from, moved) }
    })
    return this.either(node, parts)
  }

  /** Row by row, in the order of the places: the same bytes each time. */
  private scatterAdd(node: Extract<RunNode, { op: 'scatterAdd' }>, at: Coordinates): string {
    const [ids, updates] = inputsOf(node)
    const total = this.name('t')
    const place = this.name('j')
    this.line(`float ${total} = 0.0f;`)
    const head = `for (Index ${place} = ${this.around.first(node, at[0]!)}; ${place} > 0; ${place} = ${this.around.next(node, place)})`
    this.block(head, () => {
      const here = this.variable(
        `${place} - 1`,
        ids!.shape.reduce((size, length) => size * length, 1),
      )
      const row = unflatten(whole(here), ids!.shape, this.divide)
      this.line(`${total} += ${this.value(updates!, [...row, ...at.slice(1)])};`)
    })
    return total
  }

  private either(node: RunNode, cases: readonly { when: string | undefined; value: () => string }[]): string {
    if (cases.length === 1) return cases[0]!.value()
    const result = this.name('v')
    this.line(`${typeOf(node.dtype)} ${result};`)
    cases.forEach(({ when, value }, i) => {
      const head = when === undefined ? 'else' : `${i === 0 ? '' : 'else '}if (${when})`
      this.block(head, () => {
        this.line(`${result} = ${value()};`)
      })
    })
    return result
  }

  private index(value: string, length: number): Coordinate {
    return whole(this.checked(value, length))
  }

  private checked(value: string, length: number): Variable {
    const name = this.name('i')
    this.line(`Index ${name} = ${value};`)
    this.line(`if (${name} < 0 || ${name} >= ${length}) { ${this.around.fault()} = 1; ${name} = 0; }`)
    return { name, size: length, depth: this.scopes.length - 1 }
  }

  private variable(text: string, size: number): Variable {
    const name = this.name('i')
    this.line(`const Index ${name} = ${text};`)
    return { name, size, depth: this.scopes.length - 1 }
  }

  readonly divide: Divide = (dividend, divisor) => {
    const text = textOf(dividend)
    const size = Number.MAX_SAFE_INTEGER // its digits are never cut short
    const quotient = this.variable(`(${text}) / ${divisor}`, size)
    return [whole(quotient), whole(this.variable(`(${text}) % ${divisor}`, divisor))]
  }

  private id(node: RunNode): number {
    const id = this.ids.get(node) ?? this.ids.size
    this.ids.set(node, id)
    return id
  }
}

const inputsOf = (node: RunNode): readonly RunNode[] => node.inputs as readonly RunNode[]

/** An operand's place: trailing axes fit, a length of 1 is stretched. */
export const aligned = (at: Coordinates, shape: Shape): Coordinates =>
  shape.map((length, axis) => (length === 1 ? zero : at[at.length - shape.length + axis]!))

const within = (one: Coordinate, length: number): string => `${textOf(one)} >= 0 && ${textOf(one)} < ${length}`
