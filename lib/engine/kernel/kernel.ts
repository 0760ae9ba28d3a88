import type { RunNode } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import { isNumber } from './split.ts'
import type { kernelOps, Tail } from './split.ts'
import { address, floatConst, localGet, localSet, loopModule, simd, vector, vectorLoad, vectorStore } from './wasm.ts'

/** Computes a tail block by block: the arrays of `leaves` and of `results` in the order of the tail. */
export type Kernel = (arrays: ReadonlyMap<RunNode, Float32Array>, results: readonly Float32Array[]) => void

/** Elements a block: a few blocks of 32 KiB stay in the second-level cache. */
const block = 8192

type Compiled = (bytes: number, ...numbers: number[]) => void
interface Loop {
  readonly run: Compiled
  readonly slots: readonly Float32Array[]
}

/** Kernels by structure: all weights' optimizer steps are one or two of them. */
export class Kernels {
  private readonly known = new Map<string, Loop>()

  /** Results may be the very arrays of leaves: each element is read before it is written. */
  make(tail: Tail): Kernel {
    const whole = tail.leaves.filter((leaf) => sizeOf(leaf.shape) === tail.size && !isSingle(leaf, tail))
    const numbers = tail.leaves.filter((leaf) => isSingle(leaf, tail) && !isNumber(leaf))
    const source = write(tail, whole, numbers)
    const key = Buffer.from(source).toString('latin1')
    const loop = this.known.get(key) ?? instantiate(source, whole.length + tail.updates.length)
    this.known.set(key, loop)
    return (arrays, results) => {
      const inputs = whole.map((leaf) => arrays.get(leaf)!)
      const values = numbers.map((leaf) => arrays.get(leaf)![0]!)
      for (let start = 0; start < tail.size; start += block) {
        const end = Math.min(start + block, tail.size)
        inputs.forEach((array, i) => loop.slots[i]!.set(array.subarray(start, end)))
        loop.run(Math.ceil((end - start) / 4) * 16, ...values)
        results.forEach((array, i) => array.set(loop.slots[inputs.length + i]!.subarray(0, end - start), start))
      }
    }
  }
}

/** A number beside tensors; where all is of size 1, everything counts as a tensor but what is given as a number. */
const isSingle = (leaf: RunNode, tail: Tail): boolean =>
  isNumber(leaf) || (sizeOf(leaf.shape) === 1 && (tail.size > 1 || leaf.op !== 'state'))

type Emit = (operands: readonly (readonly number[])[]) => readonly number[]
const plain =
  (code: number): Emit =>
  (operands) => [...operands.flat(), ...simd(code)]

const emits = {
  add: plain(vector.add),
  sub: plain(vector.sub),
  mul: plain(vector.mul),
  div: plain(vector.div),
  maximum: plain(vector.max),
  minimum: plain(vector.min),
  neg: plain(vector.neg),
  abs: plain(vector.abs),
  sqrt: plain(vector.sqrt),
  broadcastTo: ([x]) => x!,
  square: ([x]) => [...x!, ...x!, ...simd(vector.mul)],
} satisfies Record<(typeof kernelOps)[number], Emit>

function write(tail: Tail, whole: readonly RunNode[], numbers: readonly RunNode[]): Uint8Array<ArrayBuffer> {
  const floats = numbers.length
  const constants = tail.leaves.filter(isNumber)
  const locals = new Map([...numbers, ...constants, ...whole, ...tail.nodes].map((node, i) => [node, floats + 2 + i]))
  const local = (node: RunNode): number => locals.get(node)!
  const at = address(floats)
  const splat = (node: RunNode, value: readonly number[]): number[] => [
    ...value,
    ...simd(vector.splat),
    ...localSet(local(node)),
  ]
  const before = [
    ...numbers.flatMap((node, i) => splat(node, localGet(1 + i))),
    ...constants.flatMap((node) => splat(node, floatConst(node.op === 'constant' ? node.attributes.data[0]! : 0))),
  ]
  const loads = whole.flatMap((node, i) => [...localGet(at), ...vectorLoad(i * block * 4), ...localSet(local(node))])
  const compute = tail.nodes.flatMap((node) => {
    const emit: Emit = emits[node.op as (typeof kernelOps)[number]]
    const operands = node.inputs.map((from) => localGet(local(from as RunNode)))
    return [...emit(operands), ...localSet(local(node))]
  })
  const stores = tail.updates.flatMap(([, node], i) => [
    ...localGet(at),
    ...localGet(local(node)),
    ...vectorStore((whole.length + i) * block * 4),
  ])
  const memoryPages = Math.ceil(((whole.length + tail.updates.length) * block * 4) / 65536)
  return loopModule({ floats, vectors: locals.size, before, body: [...loads, ...compute, ...stores], memoryPages })
}

/** What is used of it: Node has it, the types of a browser are not loaded. */
interface WebAssemblyApi {
  readonly Module: new (source: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (module: object) => {
    readonly exports: { readonly run: Compiled; readonly memory: { readonly buffer: ArrayBuffer } }
  }
}

function instantiate(source: Uint8Array<ArrayBuffer>, count: number): Loop {
  const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }
  const { run, memory } = new wasm.Instance(new wasm.Module(source)).exports
  const slots = Array.from({ length: count }, (_, i) => new Float32Array(memory.buffer, i * block * 4, block))
  return { run, slots }
}
