import { execFileSync } from 'node:child_process'
import { mkdirSync, rmdirSync, statfsSync } from 'node:fs'
import type { Attempt } from './attacks.ts'
import { judgeBoth, outcomeOf, worst } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { OTHER, setInput } from './project.ts'
import { run } from './tools.ts'
import type { Tool } from './tools.ts'

const ROOM = 64 * 1024 * 1024
const NAMES = /ENOSPC|no space|disk is full/i

/** A part of the room that a run takes is there; then there is enough. */
export async function fullDisk(tool: Tool, folder: string, { share, clean }: Attempt): Promise<Outcome> {
  return onDisk(folder, async (disk) => {
    await run(tool, disk.folder) // which moves what it knows of the folder to the new one
    setInput(disk.folder, OTHER)
    disk.resize(disk.used() + Math.floor(share * clean.blocks) * disk.block)
    const full = outcomeOf(await run(tool, disk.folder), tool, disk.folder, OTHER, NAMES)
    disk.resize(ROOM)
    return worst(full, await judgeBoth(tool, disk.folder))
  })
}

/** Blocks that a run takes in which every stage runs. */
export async function blocksOf(tool: Tool, folder: string): Promise<number> {
  return onDisk(folder, async (disk) => {
    await run(tool, disk.folder)
    const before = disk.used()
    setInput(disk.folder, OTHER)
    await run(tool, disk.folder)
    return (disk.used() - before) / disk.block
  })
}

interface Disk {
  readonly folder: string
  readonly block: number
  /** In bytes. */
  readonly used: () => number
  readonly resize: (bytes: number) => void
}

/** A copy of a project on a disk of its own, in memory. */
async function onDisk<T>(project: string, use: (disk: Disk) => Promise<T>): Promise<T> {
  const folder = `${project}-disk`
  mkdirSync(folder)
  mount([`size=${ROOM}`], folder)
  try {
    execFileSync('cp', ['-a', `${project}/.`, folder])
    const { bsize: block } = statfsSync(folder)
    const used = (): number => {
      const { blocks, bfree } = statfsSync(folder)
      return (blocks - bfree) * block
    }
    return await use({ folder, block, used, resize: (bytes) => mount(['remount', `size=${bytes}`], folder) })
  } finally {
    execFileSync('umount', ['--lazy', folder]) // a killed tool's stage may still be there
    rmdirSync(folder)
  }
}

function mount(options: readonly string[], folder: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options.join(','), 'tmpfs', folder])
}
