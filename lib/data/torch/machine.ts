import { Failure } from '../../util/failure.ts'
import { Cursor } from './cursor.ts'

/** What a global name of a pickle stands for here: a thing of ours, never code of the file's choice. */
export class Known {
  readonly name: string
  /** What calling it makes; undefined for arguments that no state dict gives it. */
  readonly call: (args: readonly unknown[]) => unknown

  constructor(name: string, call: Known['call'] = () => undefined) {
    this.name = name
    this.call = call
  }
}

/** What lies outside of a pickle and is named in it by an id. */
export class Persistent {
  readonly id: unknown

  constructor(id: unknown) {
    this.id = id
  }
}

/** The stack, the marks on it and the memo of a pickle that is being read. Its functions throw PICKLE_…. */
export class Machine {
  readonly input: Cursor
  readonly #file: string
  readonly #globals: ReadonlyMap<string, Known>
  readonly #stack: unknown[] = []
  /** Heights of the stack. */
  readonly #marks: number[] = []
  readonly #memo = new Map<number, unknown>()

  constructor(bytes: Uint8Array, file: string, globals: ReadonlyMap<string, Known>) {
    this.input = new Cursor(bytes, (what) => this.invalid(what))
    this.#file = file
    this.#globals = globals
  }

  push(value: unknown): void {
    this.#stack.push(value)
  }

  pop(): unknown {
    return this.last(1)[0]
  }

  top(): unknown {
    const value = this.pop()
    this.push(value)
    return value
  }

  mark(): void {
    this.#marks.push(this.#stack.length)
  }

  popMark(): unknown[] {
    const height = this.#marks.pop()
    if (height === undefined) throw this.invalid('it takes a mark that it never set')
    return this.#stack.splice(height)
  }

  /** The last `count` values, in the order in which they came. What lies below a mark belongs to what began before it. */
  last(count: number): unknown[] {
    const height = this.#stack.length - count
    if (height < (this.#marks.at(-1) ?? 0)) throw this.invalid('it takes a value that it never gave')
    return this.#stack.splice(height)
  }

  remember(index = this.#memo.size): void {
    this.#memo.set(index, this.top())
  }

  recall(index: number): void {
    if (!this.#memo.has(index)) throw this.invalid(`it recalls value ${index}, which it never kept`)
    this.push(this.#memo.get(index))
  }

  setItems(items: readonly unknown[]): void {
    const target = this.top()
    if (!(target instanceof Map) || items.length % 2 !== 0) throw this.invalid('it fills what is no dictionary')
    for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1])
  }

  global(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.invalid('a name in it is no text')
    const full = `${module}.${name}`
    const known = this.#globals.get(full)
    if (!known) throw this.unsafe(`asks for ${quoted(full)}`)
    this.push(known)
  }

  reduce(): void {
    const [callee, args] = this.last(2)
    if (!(callee instanceof Known)) throw this.unsafe('calls what has no name (REDUCE)')
    const made = Array.isArray(args) ? callee.call(args) : undefined
    if (made === undefined) throw this.unsafe(`calls ${quoted(callee.name)} in another way (REDUCE)`)
    this.push(made)
  }

  /** `state_dict()` gives its dictionary an attribute, `_metadata`: the versions of its modules, which nobody needs here. */
  build(): void {
    this.pop()
    if (!(this.top() instanceof Map)) throw this.unsafe('sets the state of what is no dictionary (BUILD)')
  }

  unsafe(what: string): Failure {
    const message = `"${this.#file}" is refused: its pickle ${what}, which no model's state dict needs and which may run code. Nothing of it was run. Get the model as safetensors, or save its state_dict() alone.`
    return new Failure('PICKLE_UNSAFE', message)
  }

  invalid(what: string): Failure {
    const message = `The pickle in "${this.#file}" is damaged or is not a state dict: ${what}. Get the file anew, or save the model's state_dict() alone.`
    return new Failure('PICKLE_INVALID', message)
  }
}

/** Of a name that the file chose, so much as tells what it is. */
const quoted = (name: string): string => JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name)
