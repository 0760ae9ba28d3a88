import { Failure } from '../../util/failure.ts'
import type { Compiler } from './compiler.ts'
import type { Address, Device, Grid, Inlet, Kernel, Matmul, MatmulShape, Replay } from './device.ts'
import { CAPTURE_RELAXED, MOST_SHARED, STREAM_NON_BLOCKING } from './driver.ts'
import type { Driver } from './driver.ts'
import { CardInlet } from './inlet.ts'
import { KernelArguments } from './kernel-arguments.ts'
import { handleFrom } from './native.ts'
import type { Ffi } from '../ffi.ts'
import type { Library } from './native.ts'
import { Products, WORKSPACE_BYTES } from './products.ts'
import { Staging } from './staging.ts'
import { gib } from '../../util/gib.ts'

export interface CardParts {
  readonly ffi: Ffi
  readonly driver: Driver
  /** Of the card; its context is current. */
  readonly ordinal: number
  /** `NVIDIA H200` */
  readonly model: string
  readonly compiler: Compiler
  readonly products: Library
}

/** An NVIDIA card and one stream of it, on which all calls are queued, but for uploads that go beside them. */
export class Card implements Device {
  readonly name: string
  private readonly parts: CardParts
  private readonly driver: Driver
  private readonly stream: bigint
  private readonly uploads: bigint
  private readonly arguments: KernelArguments
  private readonly staging: Staging
  private readonly workspace: Address
  private readonly products: Products
  /** By source: modules live as long as the card. */
  private readonly modules = new Map<string, bigint>()
  private recording = false

  constructor(parts: CardParts) {
    const { ffi, driver, model } = parts
    this.parts = parts
    this.driver = driver
    this.name = `${model}, ${gib(memoryOf(driver).total)}`
    this.stream = handleFrom((place) => driver.cuStreamCreate(place, STREAM_NON_BLOCKING))
    this.uploads = handleFrom((place) => driver.cuStreamCreate(place, STREAM_NON_BLOCKING))
    this.arguments = new KernelArguments(ffi)
    this.staging = new Staging(ffi, driver, this.stream)
    this.workspace = this.allocate(WORKSPACE_BYTES)
    this.products = new Products(parts.products, this.stream, this.workspace)
  }

  allocate(bytes: number): Address {
    this.refuseRecording('allocate')
    try {
      return Number(handleFrom((place) => this.driver.cuMemAlloc_v2(place, bytes)))
    } catch (cause) {
      if (!(cause instanceof Failure && cause.code === 'DEVICE_MEMORY')) throw cause
      const { free, total } = memoryOf(this.driver)
      const message = `${this.parts.model} has ${gib(free)} of its ${gib(total)} left, and ${gib(bytes)} more are needed: lower the batch, the context or the chunk of the loss, or end what else uses the card`
      throw new Failure('DEVICE_MEMORY', message, { exitCode: 1, cause })
    }
  }

  free(address: Address): void {
    this.synchronize() // what is queued may use it
    this.driver.cuMemFree_v2(address)
  }

  room(): number {
    return memoryOf(this.driver).free
  }

  upload(to: Address, data: NodeJS.ArrayBufferView): void {
    this.refuseRecording('upload')
    this.staging.upload(to, data)
  }

  download(from: Address, into: NodeJS.ArrayBufferView): void {
    this.refuseRecording('download')
    this.driver.cuMemcpyDtoHAsync_v2(into, from, into.byteLength, this.stream)
    this.synchronize()
  }

  inlet(bytes: number): Inlet {
    const { driver, stream, uploads } = this
    const address = this.allocate(bytes)
    return new CardInlet({
      ffi: this.parts.ffi,
      driver,
      stream,
      uploads,
      address,
      bytes,
      free: () => this.free(address),
    })
  }

  copy(to: Address, from: Address, bytes: number): void {
    this.driver.cuMemcpyDtoDAsync_v2(to, from, bytes, this.stream)
  }

  clear(address: Address, bytes: number): void {
    this.driver.cuMemsetD8Async(address, 0, bytes, this.stream)
  }

  clearColumns(address: Address, rows: number, bytes: number, pitch: number): void {
    this.driver.cuMemsetD2D8Async(address, pitch, 0, bytes, rows, this.stream)
  }

  compile(source: string, names: readonly string[]): readonly Kernel[] {
    const { driver } = this
    const module = this.modules.get(source) ?? this.load(source)
    return names.map((name) => {
      const handle = handleFrom((place) => driver.cuModuleGetFunction(place, module, name))
      return new LoadedKernel(name, handle)
    })
  }

  launch(kernel: Kernel, { blocks, threads, shared = 0 }: Grid, pointers: readonly Address[]): void {
    if (!(kernel instanceof LoadedKernel)) throw new Error(`Internal error: "${kernel.name}" is no kernel of a card`)
    const [x, y, z] = blocks
    if (shared > kernel.shared) {
      this.driver.cuFuncSetAttribute(kernel.handle, MOST_SHARED, shared)
      kernel.shared = shared
    }
    const given = this.arguments.write(pointers)
    this.driver.cuLaunchKernel(kernel.handle, x, y, z, threads, 1, 1, shared, this.stream, given, null)
  }

  prepare(shape: MatmulShape): Matmul {
    return this.products.prepare(shape)
  }

  multiply(matmul: Matmul, a: Address, b: Address, c: Address, bias?: Address): void {
    this.products.multiply(matmul, a, b, c, bias)
  }

  record(body: () => void): Replay {
    const { driver, stream } = this
    const graph = this.capture(body)
    const calls = handleFrom((place) => driver.cuGraphInstantiateWithFlags(place, graph, 0))
    driver.cuGraphDestroy(graph)
    return {
      run: () => driver.cuGraphLaunch(calls, stream),
      dispose: () => driver.cuGraphExecDestroy(calls),
    }
  }

  synchronize(): void {
    this.refuseRecording('synchronize')
    this.staging.wait()
  }

  /** Asked again and again: a call that waits would hold the thread, which has the next feeds to prepare. */
  async settled(): Promise<void> {
    this.refuseRecording('settled')
    while (this.driver.isBusy(this.stream)) await new Promise(setImmediate)
    this.staging.wait()
  }

  dispose(): void {
    const { driver } = this
    this.synchronize()
    this.products.dispose()
    this.free(this.workspace)
    for (const module of this.modules.values()) driver.cuModuleUnload(module)
    this.staging.dispose()
    this.arguments.dispose()
    driver.cuStreamDestroy_v2(this.uploads)
    driver.cuStreamDestroy_v2(this.stream)
    driver.cuDevicePrimaryCtxRelease_v2(this.parts.ordinal)
  }

  private load(source: string): bigint {
    const code = this.parts.compiler.compile(source)
    const module = handleFrom((place) => this.driver.cuModuleLoadData(place, code))
    this.modules.set(source, module)
    return module
  }

  /** Relaxed, because what is used for the first time loads its code in between, which other modes forbid. */
  private capture(body: () => void): bigint {
    const { driver, stream } = this
    this.refuseRecording('record')
    driver.cuStreamBeginCapture_v2(stream, CAPTURE_RELAXED)
    this.recording = true
    try {
      body()
    } catch (error) {
      this.abandonCapture()
      throw error
    } finally {
      this.recording = false
    }
    return handleFrom((place) => driver.cuStreamEndCapture(stream, place))
  }

  /** The error that led here is the one to tell, not that the recording is of no use. */
  private abandonCapture(): void {
    try {
      const graph = handleFrom((place) => this.driver.cuStreamEndCapture(this.stream, place))
      this.driver.cuGraphDestroy(graph)
    } catch {
      // it had been abandoned already
    }
  }

  private refuseRecording(what: string): void {
    if (this.recording) throw new Error(`Internal error: "${what}" cannot be recorded`)
  }
}

class LoadedKernel implements Kernel {
  readonly name: string
  readonly handle: bigint
  /** What `Grid.shared` may be. */
  shared = 48 * 1024

  constructor(name: string, handle: bigint) {
    this.name = name
    this.handle = handle
  }
}

/** Of the card, in bytes. */
function memoryOf(driver: Driver): { readonly free: number; readonly total: number } {
  const [free, total] = [new BigUint64Array(1), new BigUint64Array(1)]
  driver.cuMemGetInfo_v2(free, total)
  return { free: Number(free[0]), total: Number(total[0]) }
}
