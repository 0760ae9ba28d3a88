import { join } from 'node:path'
import { foldersOf, isOwn, lookoutFor, readAgain } from './dependencies.ts'
import type { Dependencies, Lookout } from './dependencies.ts'
import { FolderWatch } from './folder-watch.ts'
import type { StatCache } from './stat-cache.ts'

/** An editor that saves, or `git checkout`, makes many events: what counts is the state after the last of them. */
const QUIET_MS = 100

const NOWHERE: Lookout = { folders: new Set(), paths: new Set(), trees: new Set() }

/**
 * Tells when files differ from what was read of them. An event only says when to look: what counts is the content, so
 * that a `touch`, a save without an edit and the program's own writes say nothing, and none is lost between two looks.
 */
export class FileChanges {
  readonly #stats: StatCache
  readonly #watch = new FolderWatch((folder, name) => this.#heard(folder, name))
  #expected: Dependencies = new Map()
  #lookout = NOWHERE
  /** The project in which anything may help: set while the plan cannot be made. */
  #anywhere: string | undefined
  #stirred = false
  #timer: NodeJS.Timeout | undefined
  #wake: (() => void) | undefined

  constructor(stats: StatCache) {
    this.#stats = stats
  }

  /** From now on these contents are expected; with `anywhere`, whatever a user does in that folder counts too. */
  expect(dependencies: Dependencies, anywhere?: string): void {
    this.#expected = dependencies
    this.#anywhere = anywhere
    this.#stirred = false
    this.#look()
  }

  /**
   * Waits until something differs and has been quiet for a moment, and gives its paths. None where only something else
   * was done `anywhere`, or where the signal was aborted.
   */
  async next(signal: AbortSignal): Promise<readonly string[]> {
    let settled = false
    for (;;) {
      if (this.#timer !== undefined) {
        await this.#quiet(signal)
        settled = true
      }
      if (signal.aborted) return []
      this.#look()
      const changed = await this.#differing()
      if (changed.length === 0 && !this.#stirred) {
        await this.#quiet(signal)
        settled = true
      } else if (settled && this.#timer === undefined) {
        this.#stirred = false
        return changed
      } else this.#wait() // it may be half written
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#watch.close()
  }

  async #differing(): Promise<string[]> {
    const now = await readAgain(this.#expected, this.#stats)
    return [...this.#expected].filter(([path, { digest }]) => now.get(path)!.digest !== digest).map(([path]) => path)
  }

  /** Folders may have come and gone. */
  #look(): void {
    this.#lookout = lookoutFor(this.#expected)
    const more = this.#anywhere === undefined ? [] : foldersOf(this.#anywhere)
    this.#watch.set([...this.#lookout.folders, ...more])
  }

  #heard(folder: string, name: string | null): void {
    const { paths, trees } = this.#lookout
    const counts = name === null || paths.has(join(folder, name)) || trees.has(folder)
    const helps = this.#anywhere !== undefined && (name === null || isOwn(name))
    if (!counts && !helps) return
    if (helps) this.#stirred = true
    this.#wait()
  }

  #wait(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#wake?.()
    }, QUIET_MS)
  }

  #quiet(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        signal.removeEventListener('abort', end)
        resolve()
      }
      this.#wake = end
      signal.addEventListener('abort', end)
      if (signal.aborted) end()
    })
  }
}
