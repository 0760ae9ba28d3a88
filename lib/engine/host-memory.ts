import type { Memory, TensorValue } from './engine.ts'

/** State kept in JavaScript's own memory. */
export class HostMemory implements Memory {
  private readonly values = new Map<string, TensorValue>()
  /** Names whose array nobody else has: it may be changed in place. */
  private readonly owned = new Set<string>()

  write(name: string, value: TensorValue): void {
    this.values.set(name, value)
    this.owned.delete(name)
  }

  /** Takes a value that was made for this name alone. */
  adopt(name: string, value: TensorValue): void {
    this.values.set(name, value)
    this.owned.add(name)
  }

  read(name: string): Promise<TensorValue> {
    return Promise.resolve(this.value(name))
  }

  value(name: string): TensorValue {
    const value = this.values.get(name)
    if (!value) throw new Error(`Internal error: the memory holds no "${name}"`)
    return value
  }

  /** The value's array, to be changed in place: a copy the first time, as who wrote it may still look at theirs. */
  own(name: string): Float32Array | Int32Array {
    const { shape, data } = this.value(name)
    if (!this.owned.has(name)) this.adopt(name, { shape, data: data.slice() })
    return this.value(name).data
  }

  has(name: string): boolean {
    return this.values.has(name)
  }

  delete(name: string): void {
    this.values.delete(name)
    this.owned.delete(name)
  }

  dispose(): void {
    this.values.clear()
    this.owned.clear()
  }
}

/** The memory of a program whose graph has state; throws where none, or another engine's, was given. */
export function hostMemory(memory: Memory | undefined): HostMemory {
  if (memory instanceof HostMemory) return memory
  throw new Error(`Internal error: a graph with state runs with a memory of its engine`)
}
