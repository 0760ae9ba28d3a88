/** A GGUF file by its description (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), read apart from lib. */
export interface GgufFile {
  readonly version: number
  /** By its key: the type's name, a list's with `[]`, and the value. */
  readonly metadata: ReadonlyMap<string, readonly [type: string, value: unknown]>
  readonly tensors: ReadonlyMap<string, GgufTensor>
  readonly data: { readonly start: number; readonly length: number }
}

interface GgufTensor {
  /** The fastest-running first. */
  readonly dims: readonly number[]
  /** From the start of the data. */
  readonly offset: number
  readonly data: Float32Array
}

/** Throws where there is more, less or something else than the description allows. */
export function readGguf(bytes: Uint8Array): GgufFile {
  const cursor = new Cursor(bytes)
  if (cursor.take(4).toString('latin1') !== 'GGUF') throw new Error('no GGUF')
  const version = cursor.u32()
  const [tensorCount, valueCount] = [cursor.u64(), cursor.u64()]
  const metadata = unique(valueCount, () => [cursor.text(), cursor.typed()])
  const infos = unique(tensorCount, () => {
    const name = cursor.text()
    const dims = times(cursor.u32(), () => cursor.u64())
    return [name, { dims, type: cursor.u32(), offset: cursor.u64() }]
  })
  const start = Math.ceil(cursor.at / 32) * 32
  const tensors = [...infos].map(([name, { dims, type, offset }]): [string, GgufTensor] => {
    if (type !== 0) throw new Error(`"${name}" is not of float32`)
    const count = dims.reduce((product, length) => product * length, 1)
    const data = times(count, (n) => cursor.view.getFloat32(start + offset + 4 * n, true))
    return [name, { dims, offset, data: Float32Array.from(data) }]
  })
  return { version, metadata, tensors: new Map(tensors), data: { start, length: bytes.length - start } }
}

const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))

function unique<T>(count: number, read: () => [string, T]): Map<string, T> {
  const found = new Map(times(count, read))
  if (found.size !== count) throw new Error('a name stands twice')
  return found
}

class Cursor {
  readonly view: DataView
  readonly #bytes: Uint8Array
  at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  take(length: number): Buffer {
    this.at += length
    if (this.at > this.#bytes.length) throw new Error('the file ends too soon')
    return Buffer.from(this.#bytes.subarray(this.at - length, this.at))
  }

  u32 = (): number => this.take(4).readUInt32LE()
  u64 = (): number => Number(this.take(8).readBigUInt64LE())
  text = (): string => this.take(this.u64()).toString('utf8')

  typed(): [type: string, value: unknown] {
    const type = this.u32()
    if (type !== 9) return [this.#kind(type).name, this.#kind(type).read()]
    const kind = this.#kind(this.u32())
    return [`${kind.name}[]`, times(this.u64(), kind.read)]
  }

  #kind(type: number): { name: string; read: () => unknown } {
    const kinds: Readonly<Record<number, { name: string; read: () => unknown }>> = {
      4: { name: 'uint32', read: this.u32 },
      5: { name: 'int32', read: () => this.take(4).readInt32LE() },
      6: { name: 'float32', read: () => this.take(4).readFloatLE() },
      7: { name: 'bool', read: () => this.take(1).readUInt8() === 1 },
      8: { name: 'string', read: this.text },
    }
    const kind = kinds[type]
    if (!kind) throw new Error(`type ${type}`)
    return kind
  }
}
