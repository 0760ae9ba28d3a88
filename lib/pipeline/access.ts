import { realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** One thing that a stage reached for while it ran. */
export interface Access {
  /**
   * `check` asks whether a file is there without reading it; `exec` is the file of a program that was started, `run` a
   * program that a module names.
   */
  readonly kind: 'read' | 'check' | 'write' | 'remove' | 'exec' | 'run' | 'connect' | 'env'
  /** An absolute path as it was asked for, or the name of a variable or program, or `host:port`. */
  readonly name: string
  /** Of a path: with every link followed. */
  readonly real: string
}

/** Names the file that the hook in a stage's own process writes what it sees to, one JSON value a line. */
export const AUDIT_VARIABLE = 'PIPELINE_AUDIT'

const follow = realpathSync.native

/** A path with its links followed; of what is not there, with those of the folder that it would be in. */
export const realPlace = (path: string): string => realIfThere(path) ?? realEntry(path)

/** The same for a link itself, which can be removed. */
export const realEntry = (path: string): string => join(realIfThere(dirname(path)) ?? dirname(path), basename(path))

export function realIfThere(path: string): string | undefined {
  try {
    return follow(path)
  } catch {
    return undefined
  }
}
