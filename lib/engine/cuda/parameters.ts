import type { DType } from '../../graph/index.ts'
import { textOf } from './coordinates.ts'
import type { Coordinate } from './coordinates.ts'
import type { Element } from './device.ts'
import type { Pointer, Storage } from './storage.ts'

const types = { f32: 'float', i32: 'int', bf16: 'unsigned short', u8: 'unsigned char' } satisfies Record<
  Element,
  string
>

/** The pointers that a kernel takes, numbered as they are first used: equal kernels have equal text. */
export class Parameters {
  readonly pointers: Pointer[] = []
  private readonly written: Set<Storage>

  constructor(written: Iterable<Storage>) {
    this.written = new Set(written)
  }

  name(pointer: Pointer, writes = false): string {
    const { storage, offset } = pointer
    if (writes) this.written.add(storage)
    const known = this.pointers.findIndex((one) => one.storage === storage && one.offset === offset)
    return `p${known >= 0 ? known : this.pointers.push(pointer) - 1}`
  }

  /** A fixed distance goes into the pointer. */
  private entry(storage: Storage, { terms, offset }: Coordinate): string {
    return `${this.name({ storage, offset })}[${textOf({ terms, offset: 0 })}]`
  }

  read(storage: Storage, place: Coordinate, dtype: DType): string {
    const entry = this.entry(storage, place)
    return dtype === 'bool' ? `${entry} != 0` : entry
  }

  write(storage: Storage, place: Coordinate, value: string): string {
    return `${this.entry(storage, place)} = ${storage.element === 'bf16' ? `toBf16(${value})` : value};`
  }

  declaration(): string {
    return this.pointers
      .map(({ storage }, i) => {
        const type = types[storage.element]
        return this.written.has(storage) ? `${type}* p${i}` : `const ${type}* __restrict__ p${i}`
      })
      .join(', ')
  }

  /** Wide enough for the kernel's own entries and for those of what it reads. */
  indexType(entries: number): 'int' | 'long long' {
    const most = Math.max(entries, ...this.pointers.map(({ storage }) => storage.entries))
    return most >= 2 ** 31 - 4096 ? 'long long' : 'int' // the last block goes past the end
  }
}
