/**
 * As much of WebAssembly's binary format as a loop over 128-bit vectors takes: one module, one memory, one function.
 * https://webassembly.github.io/spec/core/binary/ and its vector instructions.
 */

type Bytes = readonly number[]

const i32 = 0x7f
const f32 = 0x7d
const v128 = 0x7b
const noResult = 0x40

/** Vector instructions on four float32. */
export const vector = {
  splat: 0x13,
  abs: 0xe0,
  neg: 0xe1,
  sqrt: 0xe3,
  add: 0xe4,
  sub: 0xe5,
  mul: 0xe6,
  div: 0xe7,
  min: 0xe8,
  max: 0xe9,
} as const

export const simd = (code: number): Bytes => [0xfd, ...unsigned(code)]
export const localGet = (index: number): Bytes => [0x20, ...unsigned(index)]
export const localSet = (index: number): Bytes => [0x21, ...unsigned(index)]
/** Of the address on the stack plus a fixed offset, aligned to 16 bytes. */
export const vectorLoad = (offset: number): Bytes => [...simd(0x00), 4, ...unsigned(offset)]
export const vectorStore = (offset: number): Bytes => [...simd(0x0b), 4, ...unsigned(offset)]

export function floatConst(value: number): Bytes {
  return [0x43, ...new Uint8Array(Float32Array.of(value).buffer)]
}

export interface LoopFunction {
  /** How many float32 parameters come after the first, the number of bytes to go over. */
  readonly floats: number
  /** How many vector locals come after the parameters and the loop's address. */
  readonly vectors: number
  /** Run once, before the loop. */
  readonly before: Bytes
  /** Run for each 16 bytes; the local `address(floats)` counts them from 0. */
  readonly body: Bytes
  readonly memoryPages: number
}

/** The local that holds the loop's address. */
export const address = (floats: number): number => 1 + floats

/** A module that exports `run(bytes, ...floats)` and its `memory`. */
export function loopModule({ floats, vectors, before, body, memoryPages }: LoopFunction): Uint8Array<ArrayBuffer> {
  const counter = address(floats)
  const again = [...localGet(counter), 0x41, 16, 0x6a, 0x22, ...unsigned(counter), ...localGet(0), 0x49, 0x0d, 0]
  const loop = [0x03, noResult, ...body, ...again, 0x0b]
  const locals = [2, 1, i32, ...unsigned(vectors), v128]
  const code = [...locals, ...before, ...loop, 0x0b]
  const parameters = [i32, ...Array.from({ length: floats }, () => f32)]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, ...unsigned(parameters.length), ...parameters, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...unsigned(memoryPages)]),
    ...section(7, [2, ...name('run'), 0, 0, ...name('memory'), 2, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ])
}

const section = (id: number, content: Bytes): Bytes => [id, ...unsigned(content.length), ...content]
const name = (text: string): Bytes => [text.length, ...Buffer.from(text)]

/** LEB128 */
function unsigned(value: number): Bytes {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest]
    bytes.push((rest & 0x7f) | 0x80)
  }
}
