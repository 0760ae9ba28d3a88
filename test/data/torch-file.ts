import { closeSync, openSync, writeSync } from 'node:fs'

/** Bytes, or so many of zero that take no space on the disk. */
export type Content = Uint8Array | { readonly hole: number }

/** Writes a zip file as torch.save lays it out, in the form for large files. Checksums are 0. */
export function writeArchive(file: string, members: Readonly<Record<string, Content>>, method = 0): void {
  const fd = openSync(file, 'w')
  let at = 0
  const append = (...parts: Uint8Array[]): void => {
    for (const part of parts) at += writeSync(fd, part, 0, part.length, at)
  }
  const directory = Object.entries(members).map(([name, content]) => {
    const [begin, size] = [at, content instanceof Uint8Array ? content.length : content.hole]
    const path = Buffer.from(`archive/${name}`)
    append(fields('4:04034b50 2:0 2:800 2 2:0 2:0 4:0 4:0 4:0 2 2:0', method, path.length), path)
    if (content instanceof Uint8Array) append(content)
    else at += size
    const form = '4:02014b50 2:0 2:0 2:800 2 2:0 2:0 4:0 4:ffffffff 4:ffffffff 2 2:1c 2:0 2:0 2:0 4:0 4:ffffffff'
    return Buffer.concat([fields(form, method, path.length), path, fields('2:1 2:18 8 8 8', size, size, begin)])
  })
  const start = at
  append(...directory)
  const [end, count] = [at, directory.length]
  append(fields('4:06064b50 8:2c 2:0 2:0 4:0 4:0 8 8 8 8', count, count, end - start, start))
  append(fields('4:07064b50 4:0 8 4:1', end), fields('4:06054b50 2:0 2:0 2:ffff 2:ffff 4:ffffffff 4:ffffffff 2:0'))
  closeSync(fd)
}

/** Little-endian fields of so many bytes, each with its value in hex or with the next of `values`. */
function fields(form: string, ...values: number[]): Buffer {
  const rest = [...values]
  const parts = form.split(' ').map((field) => {
    const [width, hex] = field.split(':')
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(hex === undefined ? BigInt(rest.shift()!) : BigInt(`0x${hex}`))
    return bytes.subarray(0, Number(width))
  })
  return Buffer.concat(parts)
}

/** Pickles in parts: a character a byte. */
export const pickle = (...parts: string[]): Buffer => Buffer.from(['\x80\x02', ...parts, '.'].join(''), 'latin1')

export const text = (value: string): string => `X${number(Buffer.byteLength(value), 4)}${latin(Buffer.from(value))}`
export const integer = (value: number): string => `\x8a\x08${number(value, 8)}`
export const global = (module: string, name: string): string => `c${module}\n${name}\n`
export const tuple = (...items: string[]): string => `(${items.join('')}t`
export const dictionary = (items: Readonly<Record<string, string>>): string =>
  `}(${Object.entries(items)
    .map(([name, value]) => text(name) + value)
    .join('')}u`

export interface TensorParts {
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly offset?: number
  readonly key?: string
  /** Elements of its storage. */
  readonly size: number
  readonly type?: string
}

export function tensor({ shape, strides, offset = 0, key = '0', size, type = 'FloatStorage' }: TensorParts): string {
  const [sizes, steps] = [tuple(...shape.map(integer)), tuple(...strides.map(integer))]
  const hooks = `${global('collections', 'OrderedDict')})R`
  return rebuilt(storage(key, size, type), integer(offset), sizes, steps, '\x89', hooks)
}

export const storage = (key: string, size: number, type: string): string =>
  `${tuple(text('storage'), global('torch', type), text(key), text('cpu'), integer(size))}Q`

export const rebuilt = (...args: string[]): string =>
  `${global('torch._utils', '_rebuild_tensor_v2')}${tuple(...args)}R`

function number(value: number, width: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt(value))
  return latin(bytes.subarray(0, width))
}

const latin = (bytes: Buffer): string => bytes.toString('latin1')
