import type { LibraryHandle } from 'koffi'
import { Failure } from '../../util/failure.ts'

/** A library that the loader has opened. */
export interface Library {
  readonly handle: LibraryHandle
  /** Where it lies, or its bare name where the loader found it. */
  readonly path: string
}

/** What stands for a C argument: handles and pointers are bigints, arrays are passed by their place. */
export type Argument = number | bigint | string | null | NodeJS.ArrayBufferView | readonly string[]

/** C functions that return a status; each throws what `fail` makes of one that is not 0. */
export type Calls<Name extends string> = Readonly<Record<Name, (...args: Argument[]) => void>>

/**
 * The functions of a library by name, each with its parameters as its header has them, handles as `void *` and
 * addresses on the card as `uint64_t`. Throws Failure `CUDA_OLD` where the library lacks one.
 */
export function bind<Name extends string>(
  library: Library,
  prototypes: Readonly<Record<Name, string>>,
  fail: (name: string, status: number) => never,
): Calls<Name> {
  const bound = Object.entries<string>(prototypes).map(([name, parameters]) => {
    const call = find(library, 'int', `${name}(${parameters})`)
    const checked = (...args: Argument[]): void => {
      const status = call(...args)
      if (status !== 0) fail(name, status)
    }
    return [name, checked] as const
  })
  return Object.fromEntries(bound) as Calls<Name>
}

/** What a C function returns, as JavaScript has it. */
interface Returned {
  int: number
  'const char *': string
}

/** One function by its prototype. Throws Failure `CUDA_OLD` where the library lacks it. */
export function find<Type extends keyof Returned>(
  { handle, path }: Library,
  type: Type,
  rest: string,
): (...args: Argument[]) => Returned[Type] {
  try {
    return handle.func(`${type} ${rest}`)
  } catch (cause) {
    const message = `"${path}" does not have "${rest}": install CUDA 12 or 13`
    throw new Failure('CUDA_OLD', message, { exitCode: 1, cause })
  }
}

/** The handle that a function writes to the place that it is given. */
export function handleFrom(write: (place: BigUint64Array) => void): bigint {
  const place = new BigUint64Array(1)
  write(place)
  return place[0]!
}

/** The int that a function writes to the place that it is given. */
export function intFrom(write: (place: Int32Array) => void): number {
  const place = new Int32Array(1)
  write(place)
  return place[0]!
}
