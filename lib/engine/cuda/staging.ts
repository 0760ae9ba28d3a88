import type { Address } from './device.ts'
import type { Driver } from './driver.ts'
import { handleFrom } from './native.ts'
import type { Ffi } from '../ffi.ts'

/** A few hundred small uploads, of token ids and such, before the first of them is waited for. */
const BYTES = 8 * 2 ** 20

/**
 * Uploads whose source may be changed at once. A small one goes by way of memory that the card reads itself, which is
 * used from the start again after each wait; a big one is waited for.
 */
export class Staging {
  private readonly driver: Driver
  private readonly stream: bigint
  private readonly pointer: bigint
  private readonly bytes: Uint8Array
  private used = 0

  constructor(ffi: Ffi, driver: Driver, stream: bigint) {
    this.driver = driver
    this.stream = stream
    this.pointer = handleFrom((place) => driver.cuMemHostAlloc(place, BYTES, 0))
    this.bytes = new Uint8Array(ffi.view(this.pointer, BYTES))
  }

  upload(to: Address, data: NodeJS.ArrayBufferView): void {
    const { driver, stream } = this
    const size = data.byteLength
    if (size > BYTES) {
      driver.cuMemcpyHtoDAsync_v2(to, data, size, stream)
      this.wait()
      return
    }
    if (this.used + size > BYTES) this.wait()
    this.bytes.set(new Uint8Array(data.buffer, data.byteOffset, size), this.used)
    driver.cuMemcpyHtoDAsync_v2(to, this.pointer + BigInt(this.used), size, stream)
    this.used += size
  }

  /** Until all that was queued is done. */
  wait(): void {
    this.driver.cuStreamSynchronize(this.stream)
    this.used = 0
  }

  dispose(): void {
    this.driver.cuMemFreeHost(this.pointer)
  }
}
