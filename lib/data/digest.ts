import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { weightFiles } from './weight-files.ts'

/** sha256 in hex over the parts, each with its length before it, so that no two lists of parts run together. */
export function digestParts(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    hash.update(`${bytes.length}:`).update(bytes)
  }
  return hash.digest('hex')
}

/** A model's identity: its `config.json` and its weight files, byte for byte. Throws `Failure` FILE_MISSING. */
export async function digestModel(folder: string): Promise<string> {
  const hash = createHash('sha256')
  for (const file of [join(folder, 'config.json'), ...weightFiles(folder)]) {
    hash.update(`${basename(file)}:${statSync(file).size}:`)
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  }
  return hash.digest('hex')
}
