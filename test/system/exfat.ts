import { execFileSync } from 'node:child_process'
import { rmSync, truncateSync, writeFileSync } from 'node:fs'
import type { Context } from '../e2e/command.ts'
import { Kept } from '../e2e/store-care.ts'
import { programOf } from './debian.ts'

const MEGABYTES = 64

/**
 * A project on a disk of exFAT, which has neither links nor hard links nor modes, and does not tell case apart. In user
 * space, as not every kernel has FAT.
 */
export function keptOnExfat(context: Context): Kept {
  const mount = programOf('mount.exfat-fuse', 'exfat-fuse')
  const undo: (() => void)[] = []
  // before the folder goes
  context.after(() => {
    for (const one of undo.reverse()) one()
  })
  const place = new Kept(context)
  const files = ['pipeline.yaml', 'make.mjs', 'join.mjs'].map((file) => [file, place.read(file)] as const)
  const image = `${place.root}.img`
  writeFileSync(image, '')
  undo.push(() => {
    rmSync(image)
  })
  truncateSync(image, MEGABYTES * 2 ** 20)
  execFileSync(programOf('mkfs.exfat', 'exfatprogs'), [image])
  const device = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim()
  undo.push(() => execFileSync('losetup', ['--detach', device]))
  for (const [file] of files) rmSync(place.path(file))
  execFileSync(mount, [device, place.root])
  undo.push(() => execFileSync('umount', [place.root]))
  for (const [file, text] of files) place.write(file, text)
  return place
}
