import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { FolderWatch } from '../../lib/pipeline/folder-watch.ts'
import { Rig } from '../pipeline/rig.ts'
import { programOf } from './debian.ts'

/** A file system that notes no time of creation and gives the number of a removed inode to the next: ext2. */
function mountOld(t: TestContext): string {
  const { root } = new Rig(undefined)
  const [image, place] = [join(root, 'image'), join(root, 'disk')]
  writeFileSync(image, '')
  truncateSync(image, 4_000_000)
  mkdirSync(place)
  execFileSync(programOf('mke2fs', 'e2fsprogs'), ['-q', '-t', 'ext2', '-I', '128', image], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  execFileSync('mount', ['-o', 'loop', image, place])
  t.after(() => {
    execFileSync('umount', [place])
    rmSync(root, { recursive: true })
  })
  return place
}

test('a folder that is made again is watched, where nothing tells it from the one before', async (t) => {
  const folder = join(mountOld(t), 'watched')
  const heard: (string | null)[] = []
  const watch = new FolderWatch((_, name) => heard.push(name))
  const next = async (): Promise<void> => {
    for (let i = 0; i < 100 && heard.length === 0; i++) await delay(20)
    await delay(100)
  }
  mkdirSync(folder)
  const { ino } = statSync(folder)
  watch.set([folder])
  rmSync(folder, { recursive: true })
  mkdirSync(folder)
  assert.equal(statSync(folder).ino, ino)
  await next()
  watch.set([folder])
  heard.length = 0
  writeFileSync(join(folder, 'file'), '')
  await next()
  watch.close()
  assert.ok(heard.includes('file'))
})
