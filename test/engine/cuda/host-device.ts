import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import koffi from 'koffi'
import type {
  Address,
  Device,
  Grid,
  Inlet,
  Kernel,
  Matmul,
  MatmulShape,
  Replay,
} from '../../../lib/engine/cuda/device.ts'
import { hostLibrary } from './host-library.ts'

interface HostKernel extends Kernel {
  readonly launch: (pointers: BigUint64Array, blocks: number, threads: number, shared: number) => void
}

/**
 * The CPU in a card's stead: the very kernels, compiled by g++. Slow and without mercy: memory is NaN before it is
 * written, and between barriers threads run in any order.
 */
export class HostDevice implements Device {
  readonly name = 'the host'
  private readonly folder = mkdtempSync(join(tmpdir(), 'cuda-host-'))
  private readonly compiler: string
  private readonly library: Library
  private readonly kernels = new Map<string, HostKernel>()
  private recording: (() => void)[] | undefined
  private units = 0
  /** Of what is allocated and not freed. */
  bytes = 0
  private readonly sizes = new Map<Address, number>()

  /** `compiler`: the path of g++. */
  constructor(compiler: string) {
    this.compiler = compiler
    this.library = new Library(this.build('library', hostLibrary, '-O2'))
  }

  allocate(bytes: number): Address {
    const address = this.library.allocate(bytes)
    this.sizes.set(address, bytes)
    this.bytes += bytes
    return address
  }

  free(address: Address): void {
    const bytes = this.sizes.get(address)
    if (bytes === undefined) throw new Error('Internal error: what was not allocated is freed')
    this.sizes.delete(address)
    this.bytes -= bytes
    this.library.free(address)
  }

  /** As a card of 8 GiB would say. */
  room(): number {
    return 2 ** 33 - this.bytes
  }

  upload(to: Address, data: NodeJS.ArrayBufferView): void {
    this.outside()
    this.library.upload(to, data, data.byteLength)
  }

  inlet(bytes: number): Inlet {
    const address = this.allocate(bytes)
    return {
      fill: (data, offsets) => data.forEach((one, i) => this.upload(address + offsets[i]!, one)),
      empty: (places) => {
        this.outside()
        for (const { offset, to, bytes } of places) this.copy(to, address + offset, bytes)
      },
      dispose: () => this.free(address),
    }
  }

  /** Later, as on a card: what is done in between must not change what is found then. */
  settled(): Promise<void> {
    return new Promise(setImmediate)
  }

  download(from: Address, into: NodeJS.ArrayBufferView): void {
    this.outside()
    this.library.download(into, from, into.byteLength)
  }

  copy(to: Address, from: Address, bytes: number): void {
    this.queue(() => {
      this.library.copy(to, from, bytes)
    })
  }

  clear(address: Address, bytes: number): void {
    this.queue(() => {
      this.library.clear(address, bytes)
    })
  }

  clearColumns(address: Address, rows: number, bytes: number, pitch: number): void {
    this.queue(() => {
      for (let row = 0; row < rows; row++) this.library.clear(address + row * pitch, bytes)
    })
  }

  compile(source: string, names: readonly string[]): readonly Kernel[] {
    // a kernel's name says what it is: tests compile many at once beforehand
    if (names.some((name) => !this.kernels.has(name))) {
      const shim = ['shim.hpp', 'tensor-cores.hpp'].map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'))
      const launchers = names.map((name) => launcher(source, name))
      const path = this.build(`unit${this.units++}`, [...shim, source, ...launchers].join('\n'), '-O1')
      const library = koffi.load(path)
      for (const name of names) {
        const launch = library.func(`launch_${name}`, 'void', [
          'void *',
          'int64_t',
          'int',
          'int',
        ]) as HostKernel['launch']
        this.kernels.set(name, { name, launch })
      }
    }
    return names.map((name) => this.kernels.get(name)!)
  }

  launch(kernel: Kernel, { blocks, threads, shared = 0 }: Grid, pointers: readonly Address[]): void {
    const given = BigUint64Array.from(pointers, BigInt)
    const [x, y, z] = blocks
    if (y !== 1 || z !== 1) throw new Error('Internal error: a grid of more than one dimension')
    this.queue(() => {
      ;(kernel as HostKernel).launch(given, x, threads, shared)
    })
  }

  prepare(shape: MatmulShape): Matmul {
    return { shape }
  }

  multiply({ shape }: Matmul, a: Address, b: Address, c: Address, bias = 0): void {
    if ([a, b, c].some((address) => address % 16 !== 0)) throw new Error('Internal error: an operand is not aligned')
    this.queue(() => {
      this.library.multiply(packed(shape), a, b, c, bias)
    })
  }

  record(body: () => void): Replay {
    const calls: (() => void)[] = []
    this.recording = calls
    try {
      body()
    } finally {
      this.recording = undefined
    }
    return {
      run: () => {
        for (const call of calls) call()
      },
      dispose: () => undefined,
    }
  }

  synchronize(): void {
    this.outside()
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  private queue(call: () => void): void {
    if (this.recording) this.recording.push(call)
    else call()
  }

  private outside(): void {
    if (this.recording) throw new Error('Internal error: a transfer cannot be recorded')
  }

  private build(name: string, source: string, level: string): string {
    const [from, to] = [join(this.folder, `${name}.cpp`), join(this.folder, `${name}.so`)]
    writeFileSync(from, source)
    // as the card does by its own rules: no sum is reordered, and no product joined to one
    execFileSync(this.compiler, [level, '-shared', '-fPIC', '-ffp-contract=off', '-w', '-o', to, from])
    return to
  }
}

/** C of a function that runs a kernel's blocks with the pointers cast to what it takes. */
function launcher(source: string, name: string): string {
  const start = source.indexOf(` ${name}(`)
  const list = source.slice(start + name.length + 2, source.indexOf(')', start))
  const types = list.split(', ').map((parameter) => parameter.slice(0, parameter.indexOf('*') + 1))
  const text = source.slice(start, source.indexOf('extern "C"', start) >>> 0)
  const together = /\b(warp|block)(Sum|Max)\b|__syncthreads|__shfl|tiles::/.test(text)
  const table = /^const __grid_constant__ (\w+) /.exec(list)
  const cast = table ? `*(const ${table[1]!}*)p` : types.map((type, i) => `(${type})p[${i}]`).join(', ')
  return `static void call_${name}(void** p) { ${name}(${cast}); }
extern "C" void launch_${name}(void** p, int64_t blocks, int threads, int shared) { launch(call_${name}, p, blocks, threads, shared, ${String(together)}); }`
}

/** As the C struct. */
function packed(shape: MatmulShape): Buffer {
  const buffer = Buffer.alloc(104)
  const { batch, m, n, k, transposeA, transposeB } = shape
  const { pitchA = transposeA ? m : k, pitchB = transposeB ? k : n, pitchC = n } = shape
  const sizes = [batch, m, n, k, pitchA, pitchB, pitchC]
  sizes.forEach((size, i) => buffer.writeBigInt64LE(BigInt(size), 8 * i))
  const flags = [
    transposeA,
    transposeB,
    shape.sharedA,
    shape.sharedB,
    shape.input === 'bf16',
    shape.output === 'bf16',
    shape.epilogue !== 'none',
    shape.epilogue === 'bias-gelu',
    shape.accumulate,
  ]
  flags.forEach((flag, i) => buffer.writeInt32LE(Number(flag), 56 + 4 * i))
  buffer.writeDoubleLE(shape.scale, 96)
  return buffer
}

type Call = (...values: unknown[]) => unknown

/** The calls that are no kernels. */
class Library {
  private readonly calls: Readonly<Record<string, Call>>

  constructor(path: string) {
    const library = koffi.load(path)
    const define = (name: string, result: string, types: readonly string[]): Call =>
      library.func(name, result, [...types]) as Call
    this.calls = {
      allocate: define('host_allocate', 'uint64_t', ['uint64_t']),
      free: define('host_free', 'void', ['uint64_t']),
      upload: define('host_copy', 'void', ['uint64_t', 'void *', 'uint64_t']),
      download: define('host_copy', 'void', ['void *', 'uint64_t', 'uint64_t']),
      copy: define('host_copy', 'void', ['uint64_t', 'uint64_t', 'uint64_t']),
      clear: define('host_clear', 'void', ['uint64_t', 'uint64_t']),
      multiply: define('host_multiply', 'void', ['void *', 'uint64_t', 'uint64_t', 'uint64_t', 'uint64_t']),
    }
  }

  allocate = (bytes: number): Address => Number(this.calls['allocate']!(bytes))
  free = (address: Address): unknown => this.calls['free']!(address)
  upload = (to: Address, data: NodeJS.ArrayBufferView, bytes: number): unknown => this.calls['upload']!(to, data, bytes)
  download = (into: NodeJS.ArrayBufferView, from: Address, bytes: number): unknown =>
    this.calls['download']!(into, from, bytes)
  copy = (to: Address, from: Address, bytes: number): unknown => this.calls['copy']!(to, from, bytes)
  clear = (address: Address, bytes: number): unknown => this.calls['clear']!(address, bytes)
  multiply = (shape: Buffer, a: Address, b: Address, c: Address, bias: Address): unknown =>
    this.calls['multiply']!(shape, a, b, c, bias)
}
