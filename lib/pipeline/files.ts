import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { makeFolder, syncFolder } from '../util/durable.ts'
import { errorCode } from '../util/error-code.ts'
import type { Json } from '../util/json.ts'
import { sha256 } from './canonical.ts'

export const token = (): string => randomBytes(6).toString('hex')

/** Writes a whole file or none: beside it, flushed to disk, then renamed over it. */
export function writeAtomic(file: string, data: string | Uint8Array, durable = true, mode?: number): void {
  if (durable) makeFolder(dirname(file))
  else mkdirSync(dirname(file), { recursive: true })
  const temporary = `${file}.${token()}.tmp`
  try {
    writeDurable(temporary, data, durable)
    if (mode !== undefined) chmodSync(temporary, mode)
    renameSync(temporary, file)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  if (durable) syncFolder(dirname(file))
}

function writeDurable(file: string, data: string | Uint8Array, durable: boolean): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  const fd = openSync(file, 'wx')
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
    if (durable) fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** The JSON in a file, or undefined where it is missing or is none. */
export function readJson(file: string): Json | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Json
  } catch {
    return undefined
  }
}

/** A cache file: JSON below the digest of its own text, so that one with a flipped bit is none. Not flushed to disk. */
export function writeSealed(file: string, value: unknown): void {
  const body = JSON.stringify(value)
  writeAtomic(file, `${sha256(body)}\n${body}`, false)
}

/** What `writeSealed` wrote; undefined where it is missing or not whole. */
export function readSealed(file: string): Json | undefined {
  try {
    const [seal, body] = readFileSync(file, 'utf8').split('\n', 2)
    return body !== undefined && sha256(body) === seal ? (JSON.parse(body) as Json) : undefined
  } catch {
    return undefined
  }
}

/** Removes a file or folder, if there is one; of a folder, what nobody has open on a network file system. */
export function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch (error) {
    // a client of NFS keeps what a process has open as `.nfs…` in its folder, until that process ends; gc comes again
    if (!['ENOTEMPTY', 'EBUSY'].includes(errorCode(error) ?? '')) throw error
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Moves a file or folder into `folder` under a name that nothing there has, and gives its new path. */
export function moveAside(path: string, folder: string, name: string): string {
  makeFolder(folder)
  const target = join(folder, `${name}-${token()}`)
  renameSync(path, target)
  syncFolder(folder)
  return target
}
