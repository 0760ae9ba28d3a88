// What a power cut leaves below a folder. Of a file that was written and that no fsync has followed: half of the content.
// Of names: a folder is as its last fsync found it, or the file system's own last commit. So what was made, renamed or
// removed since has no name, its old one, or its name again. A rename is on the disk once the folder of the new name is.
import fs from 'node:fs'
import { join } from 'node:path'

const { lstatSync, linkSync, mkdirSync, readFileSync, readdirSync, readlinkSync, renameSync, rmSync } = fs
const { chmodSync, symlinkSync, truncateSync, utimesSync } = fs

const stat = (path) => lstatSync(path, { bigint: true, throwIfNoEntry: false })
const isFolder = (path) => stat(path)?.isDirectory() === true

export class Disk {
  #top
  #graves
  #buried = 0
  /** Of a folder, by its inode, its names on the disk, each with an inode. */
  #onDisk = new Map()
  /** Inode and modification time of what was flushed. */
  #flushed = new Set()

  constructor(top) {
    this.#top = top
    this.#graves = `${top}.graves`
    mkdirSync(this.#graves, { recursive: true })
    this.commit()
    for (const folder of foldersBelow(top))
      for (const name of readdirSync(folder)) this.#flushed.add(version(stat(join(folder, name))))
  }

  /** All names are on the disk. */
  commit() {
    for (const folder of foldersBelow(this.#top)) this.#onDisk.set(stat(folder).ino, namesIn(folder))
  }

  /** After an fsync. */
  flushed(path) {
    if (isFolder(path)) this.#onDisk.set(stat(path).ino, namesIn(path))
    else this.#flushed.add(version(stat(path)))
  }

  /** Before a call that takes a name away; true where that is done by it. What had the name is kept for its return. */
  takesName(call, args) {
    if (!String(args.at(call === 'renameSync' ? 1 : 0)).startsWith(`${this.#top}/`)) return false
    if (call === 'renameSync') return this.#replaces(args[1])
    const [path, options] = args
    const takes = {
      rmSync: !isFolder(path) || options?.recursive,
      unlinkSync: !isFolder(path),
      rmdirSync: isEmpty(path),
    }
    if (stat(path) === undefined || !takes[call]) return false
    renameSync(path, this.#grave())
    return true
  }

  #replaces(path) {
    if (isEmpty(path)) renameSync(path, this.#grave())
    else if (stat(path) !== undefined && !isFolder(path)) linkSync(path, this.#grave())
    return false
  }

  #grave() {
    return join(this.#graves, String(++this.#buried))
  }

  /** Nothing runs any more, and the folder is as the disk has it. */
  cut() {
    killDescendants(process.pid)
    const now = new Map()
    const paths = new Map()
    for (const folder of [...foldersBelow(this.#top), ...foldersBelow(this.#graves)]) {
      now.set(stat(folder).ino, namesIn(folder))
      for (const [name, ino] of namesIn(folder)) paths.set(ino, join(folder, name))
    }
    const isNow = (folder, name, ino) => now.get(folder)?.get(name) === ino
    // what has such a name has no older one any more
    const settled = new Set()
    for (const [folder, names] of this.#onDisk)
      for (const [name, ino] of names) if (isNow(folder, name, ino)) settled.add(ino)
    const rebuild = (ino, from, to) => {
      mkdirSync(to)
      for (const [name, child] of this.#onDisk.get(ino) ?? []) {
        const path = paths.get(child)
        if (path === undefined || (settled.has(child) && !isNow(ino, name, child))) continue
        if (isFolder(path)) rebuild(child, path, join(to, name))
        else this.#keep(path, join(to, name))
      }
      const { mode, atime, mtime } = lstatSync(from)
      utimesSync(to, atime, mtime)
      chmodSync(to, mode)
    }
    const [after, before] = [`${this.#top}.after`, `${this.#top}.before`]
    rebuild(stat(this.#top).ino, this.#top, after)
    renameSync(this.#top, before)
    renameSync(after, this.#top)
    rmSync(before, { recursive: true })
    this.close()
  }

  close() {
    rmSync(this.#graves, { recursive: true, force: true })
  }

  #keep(from, to) {
    const found = stat(from)
    if (found.isSymbolicLink()) return symlinkSync(readlinkSync(from), to)
    linkSync(from, to)
    if (!found.isFile() || found.size === 0n || this.#flushed.has(version(found))) return
    chmodSync(to, 0o644)
    truncateSync(to, Number(found.size) >> 1)
  }
}

const version = ({ ino, mtimeNs }) => `${ino} ${mtimeNs}`
const namesIn = (folder) => new Map(readdirSync(folder).map((name) => [name, stat(join(folder, name)).ino]))
const isEmpty = (path) => isFolder(path) && readdirSync(path).length === 0

function* foldersBelow(folder) {
  yield folder
  for (const name of readdirSync(folder)) if (isFolder(join(folder, name))) yield* foldersBelow(join(folder, name))
}

function killDescendants(pid) {
  for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)) {
    killDescendants(child)
    process.kill(Number(child), 'SIGKILL')
  }
}
