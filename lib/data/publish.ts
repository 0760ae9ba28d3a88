import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { randomBytes } from 'node:crypto'
import { basename, dirname } from 'node:path'
import { makeFolder, syncFolder } from '../util/durable.ts'
import { Failure } from '../util/failure.ts'
import { isFolder } from './read.ts'

/** A file in the making, beside its final place: there whole after `commit`, or not at all. */
export interface Draft {
  readonly append: (bytes: Uint8Array) => void
  /** Flushes it to the disk and renames it into place. */
  commit(): void
  /** Drops it; does nothing after `commit`. */
  discard(): void
}

/** Writes a file atomically: `write` may append in as many parts as it likes; if it throws, nothing is left. */
export function publishFile(file: string, write: (append: (bytes: Uint8Array) => void) => void): void {
  const draft = startFile(file)
  try {
    write(draft.append)
    draft.commit()
  } finally {
    draft.discard()
  }
}

/**
 * Makes a folder that is there whole or not at all: `make` fills a draft beside it, by `publishFile`; if it
 * rejects, nothing is left.
 * Rejects with `Failure` FOLDER_TAKEN where something is there already, DISK_FULL, WRITE_FAILED.
 */
export async function publishFolder(folder: string, make: (draft: string) => Promise<void>): Promise<void> {
  checkFree(folder)
  const draft = draftOf(folder)
  try {
    guard(folder, () => makeFolder(draft))
    await make(draft)
    checkFree(folder)
    guard(folder, () => {
      if (existsSync(folder)) rmdirSync(folder) // only Windows needs it gone
      renameSync(draft, folder)
      syncFolder(dirname(folder))
    })
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

function checkFree(folder: string): void {
  if (!existsSync(folder) || (isFolder(folder) && readdirSync(folder).length === 0)) return
  const what = isFolder(folder) ? 'is a folder with something in it' : 'is a file'
  throw new Failure('FOLDER_TAKEN', `"${folder}" ${what}. Name a new folder, or take away what is there.`)
}

const draftOf = (path: string): string => `${path}.${randomBytes(4).toString('hex')}.draft`

/** Throws `Failure` DISK_FULL or WRITE_FAILED, here and from the draft's functions. */
export function startFile(file: string): Draft {
  const draft = draftOf(file)
  const fd = guard(file, () => openSync(draft, 'wx'))
  let open = true
  const close = () => {
    open = false
    closeSync(fd)
  }
  return {
    append: (bytes) => guard(file, () => writeAll(fd, bytes)),
    commit: () => {
      guard(file, () => {
        fsyncSync(fd)
        close()
        renameSync(draft, file)
        syncFolder(dirname(file))
      })
    },
    discard: () => {
      if (open) close()
      rmSync(draft, { force: true })
    },
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  // one write takes at most 2 GiB, and may take less
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, Math.min(bytes.length - done, 1 << 30))
  }
}

/** Throws `Failure` DISK_FULL or WRITE_FAILED where the action fails. */
export function guard<T>(file: string, action: () => T): T {
  try {
    return action()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      const message = `The disk is full: "${basename(file)}" could not be written whole, and was not published. Free some space and run again.`
      throw new Failure('DISK_FULL', message, { exitCode: 1, cause })
    }
    throw new Failure('WRITE_FAILED', `"${file}" could not be written: ${code || String(cause)}.`, {
      exitCode: 1,
      cause,
    })
  }
}
