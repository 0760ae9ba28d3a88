import type { Tensor as OrtTensor } from 'onnxruntime-node'
import type { Feed, Memory, TensorValue } from '../engine.ts'
import { widened } from '../widened.ts'
import type { Copies } from './gpu-copies.ts'
import { GpuTensor } from './gpu-session.ts'

/** State kept in the device's memory: what a program wrote stays there, what was written from outside goes there once. */
export class GpuMemory implements Memory {
  private readonly values = new Map<string, TensorValue | GpuTensor>()
  private readonly copies: Copies

  constructor(copies: Copies) {
    this.copies = copies
  }

  write(name: string, value: Feed): void {
    this.put(name, widened(value))
  }

  /** Takes the value over. */
  put(name: string, value: TensorValue | GpuTensor): void {
    this.delete(name)
    this.values.set(name, value)
  }

  async read(name: string): Promise<TensorValue> {
    const value = this.value(name)
    return value instanceof GpuTensor ? this.copies.toHost(value.tensor) : value
  }

  /** The tensor on the device, which the memory goes on owning. */
  async tensor(name: string): Promise<OrtTensor> {
    const value = this.value(name)
    if (value instanceof GpuTensor) return value.tensor
    const moved = await this.copies.toDevice(value)
    this.values.set(name, moved)
    return moved.tensor
  }

  /** What is known of it without a copy. */
  kind(name: string): { readonly shape: readonly number[]; readonly dtype: 'float32' | 'int32' } {
    const value = this.value(name)
    if (!(value instanceof GpuTensor)) {
      return { shape: value.shape, dtype: value.data instanceof Float32Array ? 'float32' : 'int32' }
    }
    return { shape: value.tensor.dims, dtype: value.tensor.type === 'float32' ? 'float32' : 'int32' }
  }

  has(name: string): boolean {
    return this.values.has(name)
  }

  delete(name: string): void {
    const value = this.values.get(name)
    if (value instanceof GpuTensor) value.dispose()
    this.values.delete(name)
  }

  dispose(): void {
    for (const name of [...this.values.keys()]) this.delete(name)
  }

  private value(name: string): TensorValue | GpuTensor {
    const value = this.values.get(name)
    if (!value) throw new Error(`Internal error: the memory holds no "${name}"`)
    return value
  }
}

/** The memory of a program whose graph has state; throws where none, or another engine's, was given. */
export function gpuMemory(memory: Memory | undefined): GpuMemory {
  if (memory instanceof GpuMemory) return memory
  throw new Error('Internal error: a graph with state runs with a memory of its engine')
}
