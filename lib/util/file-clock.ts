import { randomBytes } from 'node:crypto'
import { closeSync, fstatSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The time, in ms since 1970, by which the file system of a folder dates what is done in it: another machine's where it
 * is a server's. Machines that share it may have clocks hours apart, and this one is the same for all. Our own clock
 * where nothing can be written.
 */
export function fileClock(folder: string): number {
  const probe = join(folder, `.clock-${randomBytes(6).toString('hex')}`)
  try {
    const fd = openSync(probe, 'wx')
    try {
      // nobody but the file system sets a ctime
      return fstatSync(fd).ctimeMs
    } finally {
      closeSync(fd)
      rmSync(probe, { force: true })
    }
  } catch {
    return Date.now()
  }
}
