import type { Feeds } from '../engine.ts'
import type { Address, Device, Inlet, Placed } from './device.ts'
import type { Plan } from './plan.ts'
import { bytesOf } from './storage.ts'

/** What transfers like to begin at. */
const alignment = 256

/** Brings feeds to their places in a program's arena; those of the next run begin their way while one computes. */
export class Feeding {
  /** Of the device's memory, beside the places. */
  readonly bytes: number
  private readonly names: readonly string[]
  private readonly places: readonly Placed[]
  /** Undefined where nothing is fed. */
  private readonly inlet: Inlet | undefined
  private ahead: Feeds | undefined

  constructor(device: Device, { inputs, offsets }: Plan, arena: Address) {
    this.names = [...inputs.keys()]
    let size = 0
    this.places = [...inputs.values()].map((storage) => {
      const [offset, bytes] = [size, bytesOf(storage)]
      size += Math.ceil(bytes / alignment) * alignment
      return { offset, to: arena + offsets.get(storage)!, bytes }
    })
    this.bytes = size
    this.inlet = size === 0 ? undefined : device.inlet(size)
  }

  /** Copies them: nothing may change them before their run all the same. */
  send(feeds: Feeds): void {
    this.ahead = undefined
    const data = this.names.map((name) => feeds[name]!.data)
    const offsets = this.places.map(({ offset }) => offset)
    this.inlet?.fill(data, offsets)
    this.ahead = feeds
  }

  /** They are there for what is queued from here on. */
  bring(feeds: Feeds): void {
    if (feeds !== this.ahead) this.send(feeds)
    this.ahead = undefined
    this.inlet?.empty(this.places)
  }

  dispose(): void {
    this.inlet?.dispose()
  }
}
