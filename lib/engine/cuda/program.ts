import type { Graph, RunNode } from '../../graph/index.ts'
import { checkFeeds } from '../check.ts'
import type { Feed, Feeds, Memory, Needs, Program } from '../engine.ts'
import type { Address, Device, Kernel, Matmul, Replay } from './device.ts'
import { Feeding } from './feeding.ts'
import { CudaMemory, cudaMemory } from './memory.ts'
import type { Kernels } from './kernels.ts'
import type { Call, Plan } from './plan.ts'
import { bytesOf, bytesPerEntry } from './storage.ts'
import type { Pointer, Storage } from './storage.ts'

/** A call with what the device has made for it. */
type Ready =
  | { readonly call: Extract<Call, { kind: 'launch' }>; readonly kernel: Kernel }
  | { readonly call: Extract<Call, { kind: 'multiply' }>; readonly matmul: Matmul }
  | { readonly call: Extract<Call, { kind: 'clear' | 'clear pads' | 'copy' }> }

/** Where the state of a memory lies, as long as its arrangement is that. */
interface Arranged {
  readonly memory: CudaMemory
  readonly arrangement: number
  readonly addresses: ReadonlyMap<string, Address>
}

/** For how many memories the calls are kept as they were recorded. */
const mostReplays = 8

/** A plan on a device: its arena, its constants, and its calls, recorded for each memory that it runs with. */
export class CudaProgram<Output extends Feed> implements Program<Output> {
  readonly needs: Needs
  private readonly graph: Graph
  private readonly plan: Plan
  private readonly device: Device
  private readonly ready: Readonly<Record<'preparation' | 'calls', readonly Ready[]>>
  private readonly arena: Address
  private readonly constants: ReadonlyMap<Storage, Address>
  private readonly feeding: Feeding
  private readonly replays = new Map<string, Replay>()
  /** Of the last run. */
  private arranged: Arranged | undefined
  /** Never rejects. */
  private running: Promise<void> | undefined

  constructor(graph: Graph, plan: Plan, device: Device, kernels: Kernels) {
    this.graph = graph
    this.plan = plan
    this.device = device
    const all = [...plan.preparation, ...plan.calls]
    const made = kernels.make(all.flatMap((call) => (call.kind === 'launch' ? [call.source.text] : [])))
    const ready = (call: Call): Ready => {
      if (call.kind === 'launch') return { call, kernel: made.get(call.source.text)! }
      return call.kind === 'multiply' ? { call, matmul: device.prepare(call.shape) } : { call }
    }
    this.ready = { preparation: plan.preparation.map(ready), calls: plan.calls.map(ready) }
    this.arena = device.allocate(Math.max(1, plan.arena.bytes))
    this.feeding = new Feeding(device, plan, this.arena)
    this.constants = new Map(plan.constants.map((storage) => [storage, this.load(storage)]))
    const state = [...plan.state.values()].map(({ storage }) => storage)
    this.needs = {
      own: Math.max(1, plan.arena.bytes) + this.feeding.bytes + bytesOfAll(plan.constants),
      state: bytesOfAll([...state, ...plan.copies]),
    }
  }

  private load(storage: Storage): Address {
    const address = this.device.allocate(bytesOf(storage))
    if (storage.place.kind === 'constant') this.device.upload(address, storage.place.node.attributes.data)
    return address
  }

  prefetch(feeds: Feeds): void {
    checkFeeds(this.graph, feeds)
    this.feeding.send(feeds)
  }

  /** All is queued when this returns, unless another run is under way: its results lie where this one's will. */
  async run(feeds: Feeds, memory?: Memory): Promise<Record<string, Output>> {
    while (this.running) await this.running
    const found = this.compute(feeds, memory)
    const end = (): void => {
      this.running = undefined
    }
    this.running = found.then(end, end)
    return found
  }

  private async compute(feeds: Feeds, memory: Memory | undefined): Promise<Record<string, Output>> {
    checkFeeds(this.graph, feeds)
    const state = this.addresses(memory)
    this.prepare(state, memory)
    this.feeding.bring(feeds)
    this.replay(state).run()
    await this.device.settled()
    this.checkFault()
    return this.outputs(state)
  }

  /** Copies of state as it is now: only where it has changed, as a rule once. */
  private prepare(state: ReadonlyMap<string, Address>, memory: Memory | undefined): void {
    if (!(memory instanceof CudaMemory)) return
    const names = this.plan.copies.map(nameOf)
    if (!names.every((name) => memory.isCopied(name))) {
      for (const one of this.ready.preparation) this.queue(one, (pointer) => this.address(pointer, state))
    }
    for (const name of names) memory.copied(name)
    for (const name of this.graph.updates.keys()) memory.changed(name)
  }

  /** Of the state; what is only written finds its place in the first run. */
  private addresses(given: Memory | undefined): ReadonlyMap<string, Address> {
    if (this.graph.state.size + this.graph.updates.size === 0) return new Map()
    const memory = cudaMemory(given, this.device)
    const { arranged } = this
    if (arranged?.memory === memory && arranged.arrangement === memory.arrangement) return arranged.addresses
    memory.check(this.graph)
    const addresses = new Map([
      ...[...this.plan.state].map(
        ([name, { node }]) =>
          [name, memory.place(name, node.shape, node.dtype === 'float32' ? 'float32' : 'int32')] as const,
      ),
      ...this.plan.copies.map((storage) => [copyKey(nameOf(storage)), memory.copy(nameOf(storage), storage)] as const),
    ])
    this.arranged = { memory, arrangement: memory.arrangement, addresses }
    return addresses
  }

  private replay(state: ReadonlyMap<string, Address>): Replay {
    const key = [...state.values()].join()
    const known = this.replays.get(key)
    if (known) return known
    const [oldest] = this.replays
    if (oldest && this.replays.size >= mostReplays) {
      oldest[1].dispose()
      this.replays.delete(oldest[0])
    }
    const replay = this.device.record(() => {
      for (const one of this.ready.calls) this.queue(one, (pointer) => this.address(pointer, state))
    })
    this.replays.set(key, replay)
    return replay
  }

  private queue(ready: Ready, at: (pointer: Pointer) => Address): void {
    const { device } = this
    if ('kernel' in ready) {
      device.launch(ready.kernel, ready.call.source.grid, ready.call.source.pointers.map(at))
    } else if ('matmul' in ready) {
      const { a, b, c, bias } = ready.call
      device.multiply(ready.matmul, at(a), at(b), at(c), bias && at(bias))
    } else if (ready.call.kind === 'clear') {
      device.clear(at({ storage: ready.call.storage, offset: 0 }), bytesOf(ready.call.storage))
    } else if (ready.call.kind === 'clear pads') {
      this.clearPads(ready.call.storage, at)
    } else {
      const { from, to, entries } = ready.call
      device.copy(at(to), at(from), entries * bytesPerEntry(to.storage.element))
    }
  }

  private clearPads(storage: Storage, at: (pointer: Pointer) => Address): void {
    const { element, entries, rows, spare = 0 } = storage
    const each = bytesPerEntry(element)
    if (rows) {
      const { width, pitch } = rows
      this.device.clearColumns(at({ storage, offset: width }), entries / pitch, each * (pitch - width), each * pitch)
    }
    if (spare > 0) this.device.clear(at({ storage, offset: entries }), each * spare)
  }

  private address({ storage, offset }: Pointer, state: ReadonlyMap<string, Address>): Address {
    const { place } = storage
    const start =
      place.kind === 'state'
        ? state.get(place.name)!
        : place.kind === 'copy'
          ? state.get(copyKey(place.name))!
          : place.kind === 'constant'
            ? this.constants.get(storage)!
            : this.inArena(storage)
    return start + offset * bytesPerEntry(storage.element)
  }

  private inArena(storage: Storage): Address {
    return this.arena + this.plan.offsets.get(storage)!
  }

  private checkFault(): void {
    const { fault } = this.plan
    if (!fault) return
    const found = new Int32Array(1)
    this.device.download(this.inArena(fault), found)
    if (found[0] !== 0) throw new Error('Internal error: an index lies outside of the axis that it counts along')
  }

  private outputs(state: ReadonlyMap<string, Address>): Record<string, Output> {
    const entries = [...this.plan.outputs].map(([name, { node, from }]) => {
      const data = arrayOf(node)
      this.device.download(this.address(from, state), data)
      return [name, { shape: node.shape, data }] as const
    })
    return Object.fromEntries(entries) as Record<string, Output>
  }

  async dispose(): Promise<void> {
    while (this.running) await this.running
    this.feeding.dispose()
    for (const replay of this.replays.values()) replay.dispose()
    this.replays.clear()
    this.device.free(this.arena)
    for (const address of this.constants.values()) this.device.free(address)
  }
}

function arrayOf({ dtype, shape }: RunNode): Feed['data'] {
  const size = shape.reduce((all, length) => all * length, 1)
  if (dtype === 'float16') return new Uint16Array(size)
  return dtype === 'float32' ? new Float32Array(size) : new Int32Array(size)
}

const bytesOfAll = (storages: readonly Storage[]): number =>
  storages.reduce((all, storage) => all + bytesOf(storage), 0)

const nameOf = ({ place }: Storage): string => (place.kind === 'copy' ? place.name : '')
/** Among the names of state, of which none has a line's end. */
const copyKey = (name: string): string => `${name}\ncopy`
