import type { Ffi } from '../ffi.ts'
import type { Address, Inlet, Placed } from './device.ts'
import { EVENT_DISABLE_TIMING } from './driver.ts'
import type { Driver } from './driver.ts'
import { handleFrom } from './native.ts'

export interface InletParts {
  readonly ffi: Ffi
  readonly driver: Driver
  /** On which is computed. */
  readonly stream: bigint
  /** On which uploads go beside that. */
  readonly uploads: bigint
  /** So many bytes of the card's memory, and what frees them. */
  readonly address: Address
  readonly bytes: number
  readonly free: () => void
}

/** Memory that the card reads itself, and as much of its own: an event says of each when it may be written again. */
export class CardInlet implements Inlet {
  private readonly parts: InletParts
  private readonly pointer: bigint
  private readonly bytes: Uint8Array
  /** The host's memory has been read, and the card's is full. */
  private readonly sent: bigint
  /** The card's memory has been read. */
  private readonly taken: bigint

  constructor(parts: InletParts) {
    const { ffi, driver, bytes } = parts
    this.parts = parts
    this.pointer = handleFrom((place) => driver.cuMemHostAlloc(place, bytes, 0))
    this.bytes = new Uint8Array(ffi.view(this.pointer, bytes))
    this.sent = handleFrom((place) => driver.cuEventCreate(place, EVENT_DISABLE_TIMING))
    this.taken = handleFrom((place) => driver.cuEventCreate(place, EVENT_DISABLE_TIMING))
  }

  fill(data: readonly NodeJS.ArrayBufferView[], offsets: readonly number[]): void {
    const { driver, uploads, address, bytes } = this.parts
    driver.cuEventSynchronize(this.sent)
    data.forEach((one, i) => {
      this.bytes.set(new Uint8Array(one.buffer, one.byteOffset, one.byteLength), offsets[i])
    })
    driver.cuStreamWaitEvent(uploads, this.taken, 0)
    driver.cuMemcpyHtoDAsync_v2(address, this.pointer, bytes, uploads)
    driver.cuEventRecord(this.sent, uploads)
  }

  empty(places: readonly Placed[]): void {
    const { driver, stream, address } = this.parts
    driver.cuStreamWaitEvent(stream, this.sent, 0)
    for (const { offset, to, bytes } of places) driver.cuMemcpyDtoDAsync_v2(to, address + offset, bytes, stream)
    driver.cuEventRecord(this.taken, stream)
  }

  dispose(): void {
    const { driver } = this.parts
    driver.cuEventSynchronize(this.sent)
    driver.cuEventSynchronize(this.taken)
    driver.cuMemFreeHost(this.pointer)
    driver.cuEventDestroy_v2(this.sent)
    driver.cuEventDestroy_v2(this.taken)
    this.parts.free()
  }
}
