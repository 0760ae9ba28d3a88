import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { Failure } from '../util/failure.ts'

/** Fills `target` from `position` on; false when the file ends before. Positions over 4 GB are fine. */
export function readExactly(fd: number, target: Uint8Array, position: number): boolean {
  for (let done = 0; done < target.length;) {
    const count = readSync(fd, target, done, Math.min(target.length - done, 1 << 30), position + done)
    if (count === 0) return false
    done += count
  }
  return true
}

/** Runs `use` on the open file, and closes it. */
export function withFile<T>(file: string, use: (fd: number) => T): T {
  const fd = openSync(file, 'r')
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** Throws `Failure` FILE_NOT_JSON, and what `readText` throws. */
export function readJson(file: string): unknown {
  const text = readText(file)
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new Failure('FILE_NOT_JSON', `"${file}" is not valid JSON: ${String(cause)}.`, { cause })
  }
}

/** A string holds at most 2²⁹ − 24 units, and so many bytes of ASCII. */
export const longestText = 500_000_000

/**
 * The whole text, which must be UTF-8; a byte order mark is taken off.
 * Throws `Failure` FILE_MISSING, FILE_NOT_UTF8 or FILE_TOO_LARGE.
 */
export function readText(file: string): string {
  const size = statSync(file, { throwIfNoEntry: false })
  if (!size?.isFile()) throw new Failure('FILE_MISSING', `There is no file "${file}".`)
  if (size.size > longestText) {
    const message = `"${file}" has ${size.size} bytes; a text of at most ${longestText} can be read. Give a part of it.`
    throw new Failure('FILE_TOO_LARGE', message)
  }
  const bytes = readFileSync(file)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    const message = `"${file}" is not UTF-8 text: its first wrong byte is at offset ${firstWrongByte(bytes)}. Convert it to UTF-8.`
    throw new Failure('FILE_NOT_UTF8', message, { cause })
  }
}

/** A byte order mark apart, decoding and encoding again is the identity up to the first wrong byte. */
function firstWrongByte(bytes: Uint8Array): number {
  const again = new TextEncoder().encode(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes))
  const at = again.findIndex((byte, index) => byte !== bytes[index])
  return at < 0 ? again.length : at
}
