import {
  createReadStream,
  createWriteStream,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { makeFolder, syncFile, syncFolder } from '../../util/durable.ts'
import { errorCode } from '../../util/error-code.ts'
import { messageOf, remove, token } from '../files.ts'
import type { RemoteAddress } from './address.ts'
import { remoteFailure } from './remote.ts'
import type { Content, Remote } from './remote.ts'

/** A folder, of a mounted drive for instance: an object is a file. */
export class FileRemote implements Remote {
  readonly address: string
  readonly #folder: string

  constructor({ text, folder }: Extract<RemoteAddress, { kind: 'file' }>) {
    this.address = text
    this.#folder = folder
  }

  async read(name: string): Promise<Readable | undefined> {
    const handle = await this.#absentOr('read', open(this.#path(name), 'r'))
    return handle && createReadStream('', { fd: handle })
  }

  size(name: string): Promise<number | undefined> {
    return this.#absentOr(
      'read',
      new Promise((resolve) => {
        resolve(statSync(this.#path(name)).size)
      }),
    )
  }

  async write(name: string, content: Content, signal: AbortSignal): Promise<void> {
    const path = this.#path(name)
    const temporary = join(dirname(path), `.${basename(path)}.${token()}.tmp`)
    try {
      makeFolder(dirname(path))
      await pipeline(content.open(), createWriteStream(temporary, { flags: 'wx', mode: 0o644 }), { signal })
      syncFile(temporary)
      renameSync(temporary, path)
      syncFolder(dirname(path))
    } catch (error) {
      if (existsSync(temporary)) remove(temporary)
      throw this.#failure('written', error)
    }
  }

  create(name: string, text: string): Promise<boolean> {
    return this.#said('written', () => {
      const path = this.#path(name)
      makeFolder(dirname(path))
      try {
        writeFileSync(path, text, { flag: 'wx', mode: 0o644 })
        return true
      } catch (error) {
        if (errorCode(error) === 'EEXIST') return false
        throw error
      }
    })
  }

  remove(name: string): Promise<void> {
    return this.#said('removed', () => {
      rmSync(this.#path(name), { force: true })
    })
  }

  list(prefix: string): Promise<string[]> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    const names = this.#absentOr(
      'listed',
      new Promise<string[]>((resolve) => {
        const entries = readdirSync(this.#path(folder), { withFileTypes: true, recursive: true })
        const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
        const root = this.#path('')
        resolve(files.map((entry) => join(entry.parentPath, entry.name).slice(root.length).replaceAll('\\', '/')))
      }),
    )
    return names.then((found) => (found ?? []).filter((name) => name.startsWith(prefix)).sort())
  }

  #path(name: string): string {
    return join(this.#folder, name, name === '' ? '/' : '')
  }

  async #absentOr<T>(doing: string, asked: Promise<T>): Promise<T | undefined> {
    try {
      return await asked
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined
      throw this.#failure(doing, error)
    }
  }

  #said<T>(doing: string, act: () => T): Promise<T> {
    return new Promise<T>((resolve) => {
      resolve(act())
    }).catch((error: unknown) => Promise.reject(this.#failure(doing, error)))
  }

  /** A content that failed on its own says more than the folder. */
  #failure(doing: string, error: unknown): Error {
    if (error instanceof Error && (error.name === 'Failure' || error.name === 'AbortError')) return error
    return remoteFailure(this.address, `cannot be ${doing}: ${messageOf(error)}`, error)
  }
}
