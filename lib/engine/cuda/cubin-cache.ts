import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode } from '../../util/error-code.ts'

const DIGEST_BYTES = 32

/** Compiled kernels in a folder, each beside the digest of its own bytes: a file cut short counts as none. */
export class CubinCache {
  private readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  /** The file of what was made from `parts`, which are all that it depends on. */
  file(parts: readonly string[], ending: string): string {
    return join(this.folder, `${digest(JSON.stringify(parts)).toString('hex')}.${ending}`)
  }

  read(file: string): Uint8Array | undefined {
    const bytes = readIfThere(file)
    const cubin = bytes?.subarray(DIGEST_BYTES)
    return cubin && digest(cubin).equals(bytes!.subarray(0, DIGEST_BYTES)) ? cubin : undefined
  }

  write(file: string, cubin: Uint8Array): void {
    this.save(file, Buffer.concat([digest(cubin), cubin]))
  }

  /** There whole or not at all: others may write the same file at the same time. */
  save(file: string, content: Uint8Array | string): void {
    mkdirSync(this.folder, { recursive: true })
    const temporary = `${file}.${randomUUID()}.tmp`
    writeFileSync(temporary, content)
    renameSync(temporary, file)
  }
}

const digest = (content: Uint8Array | string): Buffer => createHash('sha256').update(content).digest()

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}
