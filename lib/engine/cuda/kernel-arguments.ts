import type { Address } from './device.ts'
import type { Ffi } from '../ffi.ts'

/** What a launch may pass, 4 KiB of it. */
const MOST = 512

/**
 * The arguments of a kernel, all of them addresses, as cuLaunchKernel takes them: a table of where each lies, in memory
 * that does not move. The launch copies them, so that one table serves all launches.
 */
export class KernelArguments {
  private readonly ffi: Ffi
  private readonly table: bigint
  private readonly values: bigint
  /** The values, in halves: a number is split without making a bigint. */
  private readonly halves: Uint32Array

  constructor(ffi: Ffi) {
    this.ffi = ffi
    this.table = ffi.alloc('uint64_t', MOST) as bigint
    this.values = ffi.alloc('uint64_t', MOST) as bigint
    this.halves = new Uint32Array(ffi.view(this.values, 8 * MOST))
    new BigUint64Array(ffi.view(this.table, 8 * MOST)).forEach((_, i, places) => {
      places[i] = this.values + BigInt(8 * i)
    })
  }

  /** Where they lie until the next call. */
  write(pointers: readonly Address[]): bigint {
    if (pointers.length > MOST) throw new Error(`Internal error: ${pointers.length} arguments of a kernel`)
    const { halves } = this
    pointers.forEach((pointer, i) => {
      halves[2 * i] = pointer // its lower 32 bits
      halves[2 * i + 1] = pointer / 2 ** 32
    })
    return this.table
  }

  dispose(): void {
    this.ffi.free(this.table)
    this.ffi.free(this.values)
  }
}
