import type * as TensorFlow from '@tensorflow/tfjs-core'
import type { RunNode } from '../../graph/index.ts'
import { checkKind, checkValue } from '../check.ts'
import type { Feed, Memory, TensorValue } from '../engine.ts'
import { widened } from '../widened.ts'
import { download, upload } from './transfer.ts'
import type { Tf } from './ops.ts'

/** State kept as tensors of the backend: what a program wrote stays there, what was written from outside goes there once. */
export class TensorMemory implements Memory {
  private readonly values = new Map<string, TensorValue | TensorFlow.Tensor>()
  private readonly tf: Tf
  private readonly check: () => void

  /** `check` throws what went wrong on the device. */
  constructor(tf: Tf, check: () => void) {
    this.tf = tf
    this.check = check
  }

  write(name: string, value: Feed): void {
    this.put(name, widened(value))
  }

  /** Takes the value over. A tensor must outlive the caller's tidy. */
  put(name: string, value: TensorValue | TensorFlow.Tensor): void {
    this.delete(name)
    this.values.set(name, value)
  }

  async read(name: string): Promise<TensorValue> {
    const value = this.value(name)
    if (!(value instanceof this.tf.Tensor)) return value
    const found = await download(value)
    this.check()
    return found
  }

  /** The tensor of a node of the graph, which the memory goes on owning. Throws where it is of another shape or type. */
  tensor(name: string, node: RunNode): TensorFlow.Tensor {
    const value = this.value(name)
    if (value instanceof this.tf.Tensor) {
      const dtype = value.dtype === 'float32' ? 'float32' : 'int32'
      checkKind('state', name, node, { shape: value.shape, dtype })
      return value
    }
    checkValue('state', name, node, value)
    const moved = this.tf.keep(upload(this.tf, value))
    this.values.set(name, moved)
    return moved
  }

  has(name: string): boolean {
    return this.values.has(name)
  }

  delete(name: string): void {
    const value = this.values.get(name)
    if (value instanceof this.tf.Tensor) value.dispose()
    this.values.delete(name)
  }

  dispose(): void {
    for (const name of [...this.values.keys()]) this.delete(name)
  }

  private value(name: string): TensorValue | TensorFlow.Tensor {
    const value = this.values.get(name)
    if (!value) throw new Error(`Internal error: the memory holds no "${name}"`)
    return value
  }
}

/** The memory of a program whose graph has state; throws where none, or another engine's, was given. */
export function tensorMemory(memory: Memory | undefined): TensorMemory {
  if (memory instanceof TensorMemory) return memory
  throw new Error('Internal error: a graph with state runs with a memory of its engine')
}
