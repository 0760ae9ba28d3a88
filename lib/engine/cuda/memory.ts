import { sameShape } from '../../graph/index.ts'
import type { Graph } from '../../graph/index.ts'
import { checkValue } from '../check.ts'
import type { Feed, Memory, TensorValue } from '../engine.ts'
import type { Address, Device } from './device.ts'
import { spareRows } from './rows.ts'
import { bytesOf } from './storage.ts'
import type { Storage } from './storage.ts'
import { launchWiden } from './widen.ts'

interface Held {
  readonly address: Address
  readonly shape: readonly number[]
  readonly dtype: 'float32' | 'int32'
  readonly bytes: number
}

/** State kept on the device. A value of the same size goes where the one before was. */
export class CudaMemory implements Memory {
  readonly device: Device
  /** Another number where something lies elsewhere than before, or is of another shape or type. */
  arrangement = 0
  private readonly values = new Map<string, Held>()
  /** In bfloat16, for programs that do not change the value. */
  private readonly copies = new Map<string, { readonly address: Address; isFresh: boolean }>()

  constructor(device: Device) {
    this.device = device
  }

  write(name: string, { shape, data }: Feed): void {
    this.changed(name)
    if (data instanceof Uint16Array) this.writeHalves(this.place(name, shape, 'float32'), data)
    else this.device.upload(this.place(name, shape, data instanceof Float32Array ? 'float32' : 'int32'), data)
  }

  private writeHalves(to: Address, data: Uint16Array): void {
    const { device } = this
    const from = device.allocate(data.byteLength)
    try {
      device.upload(from, data)
      launchWiden(device, from, to, data.length)
    } finally {
      device.free(from)
    }
  }

  /** Where a value is to be written. */
  place(name: string, shape: readonly number[], dtype: Held['dtype']): Address {
    const bytes = 4 * shape.reduce((size, length) => size * length, 1)
    const before = this.values.get(name)
    if (before && before.bytes !== bytes) this.delete(name)
    const address = before?.bytes === bytes ? before.address : this.allocate(bytes, shape)
    if (before?.address !== address || before.dtype !== dtype || !sameShape(before.shape, shape)) this.arrangement++
    this.values.set(name, { address, shape, dtype, bytes })
    return address
  }

  /** Where a copy of a value is, or is to be made. */
  copy(name: string, storage: Storage): Address {
    const known = this.copies.get(name)
    if (known) return known.address
    const [all, own] = [bytesOf(storage), bytesOf({ ...storage, spare: 0 })]
    const address = this.device.allocate(all)
    if (all > own) this.device.clear(address + own, all - own)
    this.copies.set(name, { address, isFresh: false })
    return address
  }

  isCopied(name: string): boolean {
    return this.copies.get(name)?.isFresh === true
  }

  /** The copy is of what the value is now. */
  copied(name: string): void {
    const copy = this.copies.get(name)
    if (copy) copy.isFresh = true
  }

  /** The value is, or is about to be, another. */
  changed(name: string): void {
    const copy = this.copies.get(name)
    if (copy) copy.isFresh = false
  }

  /** With zeros after it where products may go on reading. */
  private allocate(bytes: number, shape: readonly number[]): Address {
    const spare = 4 * spareRows(shape) * (shape.at(-1) ?? 1)
    const address = this.device.allocate(bytes + spare)
    if (spare > 0) this.device.clear(address + bytes, spare)
    return address
  }

  read(name: string): Promise<TensorValue> {
    return new Promise((resolve) => {
      const { address, shape, dtype, bytes } = this.held(name)
      const data = dtype === 'float32' ? new Float32Array(bytes / 4) : new Int32Array(bytes / 4)
      this.device.download(address, data)
      resolve({ shape, data })
    })
  }

  /** Throws where the memory lacks a state of the graph, or holds one of another kind. */
  check(graph: Graph): void {
    for (const [name, node] of graph.state) {
      const { shape, dtype } = this.held(name)
      checkValue('state', name, node, { shape, data: dtype === 'float32' ? new Float32Array() : new Int32Array() })
    }
  }

  private held(name: string): Held {
    const held = this.values.get(name)
    if (!held) throw new Error(`Internal error: the memory holds no "${name}"`)
    return held
  }

  has(name: string): boolean {
    return this.values.has(name)
  }

  delete(name: string): void {
    this.arrangement++
    const held = this.values.get(name)
    if (held) this.device.free(held.address)
    this.values.delete(name)
    const copy = this.copies.get(name)
    if (copy) this.device.free(copy.address)
    this.copies.delete(name)
  }

  dispose(): void {
    for (const name of [...this.values.keys()]) this.delete(name)
  }
}

/** The memory of a program whose graph has state; throws where none, or another engine's, was given. */
export function cudaMemory(memory: Memory | undefined, device: Device): CudaMemory {
  if (memory instanceof CudaMemory && memory.device === device) return memory
  throw new Error('Internal error: a graph with state runs with a memory of its engine')
}
