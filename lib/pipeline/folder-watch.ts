import { statSync, watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { basename } from 'node:path'

/** How often is looked where a folder cannot be watched: too many watches, or a file system without them. */
const POLL_MS = 2000

interface Open {
  readonly watcher: FSWatcher
  readonly identity: string
}

/**
 * Tells when something in one of a set of folders changes: not below it. Folders are watched and not files, because a
 * file that is replaced by a rename takes the watch on it away, and one handle does for all of a folder's files.
 */
export class FolderWatch {
  readonly #open = new Map<string, Open>()
  /** Name of what changed, null where the system does not say. */
  readonly #onEvent: (folder: string, name: string | null) => void
  #poll: NodeJS.Timeout | undefined

  constructor(onEvent: (folder: string, name: string | null) => void) {
    this.#onEvent = onEvent
  }

  /** Watches exactly these from now on. A folder that was removed and made again is another one by then. */
  set(folders: Iterable<string>): void {
    const wanted = new Set(folders)
    for (const [folder, { identity }] of this.#open) {
      if (!wanted.has(folder) || identityOf(folder) !== identity) this.#close(folder)
    }
    const refused = [...wanted].filter((folder) => !this.#open.has(folder) && !this.#watch(folder))
    clearInterval(this.#poll)
    this.#poll =
      refused.length === 0
        ? undefined
        : setInterval(() => {
            for (const folder of refused) this.#onEvent(folder, null)
          }, POLL_MS)
  }

  close(): void {
    this.set([])
  }

  #watch(folder: string): boolean {
    const identity = identityOf(folder)
    if (identity === undefined) return true // its parent, where it will appear, is in the set too
    try {
      const watcher = watch(folder, (_, name) => this.#heard(folder, name))
      watcher.on('error', () => this.#heard(folder, basename(folder)))
      this.#open.set(folder, { watcher, identity })
      return true
    } catch {
      return false
    }
  }

  #heard(folder: string, name: string | null): void {
    // a folder's own end is told under its own name; the number of its inode may be given to the next at once
    if (name === basename(folder)) this.#close(folder)
    this.#onEvent(folder, name === basename(folder) ? null : name)
  }

  #close(folder: string): void {
    this.#open.get(folder)?.watcher.close()
    this.#open.delete(folder)
  }
}

function identityOf(folder: string): string | undefined {
  const stat = statSync(folder, { bigint: true, throwIfNoEntry: false })
  return stat?.isDirectory() === true ? [stat.dev, stat.ino, stat.birthtimeNs].join() : undefined
}
