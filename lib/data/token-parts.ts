import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { publishFile } from './publish.ts'
import { bytesOf } from './tokens.ts'
import type { Encoded, SplitName } from './tokens.ts'

/** Keeps some encoded documents of a split in a folder: `<split>.ids.bin` and `<split>.lengths.bin`, uint32 each. */
export function writeEncoded(folder: string, name: SplitName, encoded: Encoded): void {
  mkdirSync(folder, { recursive: true })
  for (const kind of ['ids', 'lengths'] as const)
    publishFile(fileOf(folder, name, kind), (append) => append(bytesOf(encoded[kind])))
}

/** What `writeEncoded` wrote. */
export function readEncoded(folder: string, name: SplitName): Encoded {
  const read = (kind: keyof Encoded): Uint32Array =>
    new Uint32Array(new Uint8Array(readFileSync(fileOf(folder, name, kind))).buffer)
  return { ids: read('ids'), lengths: read('lengths') }
}

const fileOf = (folder: string, name: SplitName, kind: keyof Encoded): string => join(folder, `${name}.${kind}.bin`)
