import type { DType } from '../../graph/index.ts'
import { flatten, textOf, unflatten } from './coordinates.ts'
import type { Coordinate, Divide } from './coordinates.ts'
import type { Element } from './device.ts'
import type { Pointer, Rows, Storage } from './storage.ts'

const types = {
  f32: 'float',
  i32: 'int',
  bf16: 'unsigned short',
  f16: 'unsigned short',
  u8: 'unsigned char',
} satisfies Record<Element, string>

/** The pointers that a kernel takes, numbered as they are first used: equal kernels have equal text. */
export class Parameters {
  readonly pointers: Pointer[] = []
  readonly written: Set<Storage>
  private readonly divide: Divide

  constructor(written: Iterable<Storage>, divide: Divide) {
    this.written = new Set(written)
    this.divide = divide
  }

  name(pointer: Pointer, writes = false): string {
    const { storage, offset } = pointer
    if (writes) this.written.add(storage)
    const known = this.pointers.findIndex((one) => one.storage === storage && one.offset === offset)
    return `p${known >= 0 ? known : this.pointers.push(pointer) - 1}`
  }

  /** Of the entry at a place of the tensor. A fixed distance goes into the pointer. */
  private entry(storage: Storage, place: Coordinate): string {
    const { terms, offset } = storage.rows ? this.spread(place, storage.entries, storage.rows) : place
    return `${this.name({ storage, offset })}[${textOf({ terms, offset: 0 })}]`
  }

  private spread(place: Coordinate, entries: number, { width, pitch }: Rows): Coordinate {
    const rows = entries / pitch
    return flatten(unflatten(place, [rows, width], this.divide), [rows, pitch])
  }

  read(storage: Storage, place: Coordinate, dtype: DType): string {
    const entry = this.entry(storage, place)
    if (dtype === 'bool') return `${entry} != 0`
    if (storage.element === 'f16') return `fromF16(${entry})`
    return storage.element === 'bf16' ? `fromBf16(${entry})` : entry
  }

  write(storage: Storage, place: Coordinate, value: string): string {
    const { element } = storage
    const stored = element === 'bf16' ? `toBf16(${value})` : element === 'f16' ? `toF16(${value})` : value
    return `${this.entry(storage, place)} = ${stored};`
  }

  declarations(): readonly string[] {
    return this.pointers.map(({ storage }, i) => {
      const type = types[storage.element]
      return this.written.has(storage) ? `${type}* p${i}` : `const ${type}* __restrict__ p${i}`
    })
  }

  /** Wide enough for the kernel's own entries and for those of what it reads. */
  indexType(entries: number): 'int' | 'long long' {
    const most = Math.max(entries, ...this.pointers.map(({ storage }) => storage.entries))
    return most >= 2 ** 31 - 4096 ? 'long long' : 'int' // the last block goes past the end
  }
}
