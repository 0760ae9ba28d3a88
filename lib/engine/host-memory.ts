import type { Feed, Memory, TensorValue } from './engine.ts'
import { widened } from './widened.ts'

/** State kept in JavaScript's own memory. */
export class HostMemory implements Memory {
  private readonly values = new Map<string, TensorValue>()

  write(name: string, given: Feed): void {
    const value = widened(given)
    // a program that changed one in place would change the other
    for (const [other, { data }] of this.values) {
      if (data === value.data && other !== name)
        throw new Error(`Internal error: "${name}" would share the array of "${other}"`)
    }
    this.values.set(name, value)
  }

  read(name: string): Promise<TensorValue> {
    return Promise.resolve(this.value(name))
  }

  value(name: string): TensorValue {
    const value = this.values.get(name)
    if (!value) throw new Error(`Internal error: the memory holds no "${name}"`)
    return value
  }

  has(name: string): boolean {
    return this.values.has(name)
  }

  delete(name: string): void {
    this.values.delete(name)
  }

  dispose(): void {
    this.values.clear()
  }
}

/** The memory of a program whose graph has state; throws where none, or another engine's, was given. */
export function hostMemory(memory: Memory | undefined): HostMemory {
  if (memory instanceof HostMemory) return memory
  throw new Error(`Internal error: a graph with state runs with a memory of its engine`)
}
