import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { compareJson, firstOf } from './compare-json.ts'
import { compareTensors, readTensors } from './compare-tensors.ts'
import { EXACT, differs } from './tolerance.ts'
import type { Compared, Differing, Tolerance } from './tolerance.ts'

/** A larger file is no JSON here, but bytes: a string could hardly hold it. */
const LARGEST_TEXT = 256 * 1024 * 1024

/**
 * Holds a file against the one expected. Numbers in JSON, in JSON lines and of floats in safetensors are compared within
 * the tolerance; all else, and every other file, must be the same. What a file is, its content says.
 */
export function compareFiles(expected: string, found: string, tolerance: Tolerance): Compared {
  return withFiles(expected, found, (a, b): Compared => {
    const tensors = [readTensors(a), readTensors(b)] as const
    if (tensors[0] !== undefined && tensors[1] !== undefined)
      return compareTensors([a, tensors[0]], [b, tensors[1]], tolerance)
    const texts = [readLines(a), readLines(b)] as const
    if (texts[0] !== undefined && texts[1] !== undefined) return compareLines(texts[0], texts[1], tolerance)
    const first = firstByte(a, b)
    return first === undefined ? { within: true, largest: 0 } : { within: false, first }
  })
}

/** Byte for byte; the first place that differs is said by its name where that is a value of JSON or of a tensor. */
export function compareExactly(expected: string, found: string): Compared {
  const first = withFiles(expected, found, firstByte)
  if (first === undefined) return { within: true, largest: 0 }
  const compared = compareFiles(expected, found, EXACT)
  return compared.within ? { within: false, first } : compared
}

function withFiles<T>(expected: string, found: string, use: (a: number, b: number) => T): T {
  const a = openSync(expected, 'r')
  try {
    const b = openSync(found, 'r')
    try {
      return use(a, b)
    } finally {
      closeSync(b)
    }
  } finally {
    closeSync(a)
  }
}

/** The JSON value in a file, or those of its lines; undefined where it is neither. */
function readLines(fd: number): readonly { readonly place: string; readonly value: unknown }[] | undefined {
  if (fstatSync(fd).size > LARGEST_TEXT) return undefined
  const text = readFileSync(fd, 'utf8')
  try {
    return [{ place: '', value: JSON.parse(text) as unknown }]
  } catch {
    try {
      const lines = text.split('\n').map((line, i) => ({ place: `line ${i + 1}`, line }))
      const filled = lines.filter(({ line }) => line.trim() !== '')
      return filled.map(({ place, line }) => ({ place, value: JSON.parse(line) as unknown }))
    } catch {
      return undefined
    }
  }
}

type Lines = NonNullable<ReturnType<typeof readLines>>

function compareLines(expected: Lines, found: Lines, tolerance: Tolerance): Compared {
  if (expected.length !== found.length) return differs('its lines', String(expected.length), String(found.length))
  return firstOf(
    expected.map(({ place, value }, i) => (): Compared => {
      const compared = compareJson(value, found[i]!.value, tolerance)
      if (compared.within || place === '') return compared
      const inner = compared.first.place
      return { within: false, first: { ...compared.first, place: inner === '' ? place : `${place}, ${inner}` } }
    }),
  )
}

const CHUNK = 1 << 20
/** Bytes shown from the first that differs on. */
const SHOWN = 40

/** By line and column in a text, else by the number of the byte, from 0. */
function firstByte(a: number, b: number): Differing | undefined {
  const [x, y] = [Buffer.alloc(CHUNK), Buffer.alloc(CHUNK)]
  let [line, column] = [1, 1]
  for (let at = 0; ; at += CHUNK) {
    const [left, right] = [x.subarray(0, fill(a, x, at)), y.subarray(0, fill(b, y, at))]
    const shared = Math.min(left.length, right.length)
    let same = 0
    while (same < shared && left[same] === right[same]) same++
    if (same === left.length && same === right.length && same < CHUNK) return undefined
    const lines = left.subarray(0, same).toString('latin1').split('\n')
    column = lines.length > 1 ? lines.at(-1)!.length + 1 : column + same
    line += lines.length - 1
    if (same === CHUNK) continue
    const isText = !left.includes(0) && !right.includes(0)
    const shown = (bytes: Buffer): string => {
      const part = bytes.subarray(same, same + SHOWN)
      if (part.length === 0) return 'its end'
      return isText ? JSON.stringify(part.toString('utf8')) : part.subarray(0, 8).toString('hex')
    }
    const place = isText ? `line ${line}, column ${column}` : `byte ${at + same}`
    return { place, expected: shown(left), found: shown(right) }
  }
}

function fill(fd: number, buffer: Buffer, position: number): number {
  let done = 0
  while (done < buffer.length) {
    const count = readSync(fd, buffer, done, buffer.length - done, position + done)
    if (count === 0) break
    done += count
  }
  return done
}
