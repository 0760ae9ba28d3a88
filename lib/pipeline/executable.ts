import { readFileSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'

/** File systems that keep no modes: each file looks like a program, or none does. `fuseblk` is NTFS or exFAT. */
const MODELESS: ReadonlySet<string> = new Set(['msdos', 'vfat', 'exfat', 'ntfs', 'ntfs3', 'fuseblk'])

const known = new Map<bigint, boolean>()

/** Whether a file is a program. Where modes are not kept none is, so that a tree has one digest on every disk. */
export const isExecutable = ({ mode, dev }: Pick<BigIntStats, 'mode' | 'dev'>): boolean =>
  (mode & 0o111n) !== 0n && keepsModes(dev)

function keepsModes(device: bigint): boolean {
  let keeps = known.get(device)
  if (keeps === undefined) known.set(device, (keeps = !MODELESS.has(fileSystemOf(device) ?? '')))
  return keeps
}

/** As Linux tells it; undefined elsewhere. */
function fileSystemOf(device: bigint): string | undefined {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n)
  const mount = mounts().find((line) => line.split(' ')[2] === `${major}:${minor}`)
  return mount?.split(' - ')[1]?.split(' ')[0]
}

function mounts(): string[] {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  } catch {
    return [] // another system
  }
}
