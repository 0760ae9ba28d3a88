import { constants, copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode } from '../util/error-code.ts'
import { digestOf } from './canonical.ts'
import type { Digest } from './canonical.ts'
import { remove, token } from './files.ts'
import { keyOf } from './key.ts'
import type { KeyRecord } from './key.ts'
import type { Stage } from './pipeline.ts'
import type { Prepared } from './prepare.ts'

/** Within a checkpoint: what a longer run goes on from. */
const EXTEND = 'extend'

/** `.extend-<key>-<family>`, beside the result with this key: goes with it, and is a part of what it takes. */
export const extensionsOf = (folder: string, key: string): string[] =>
  readdirSync(folder).flatMap((name) => (name.startsWith(`.extend-${key}-`) ? join(folder, name) : []))

/** What the keys of a stage's runs share that differ in the parameters `extend` alone. */
function familyOf(record: KeyRecord, extend: readonly string[]): Digest {
  const others = Object.entries(record.with).filter(([name]) => !extend.includes(name))
  return digestOf(['extend', keyOf({ ...record, with: Object.fromEntries(others) })])
}

/** Keeps the folder `extend` of a finished run's checkpoint in place of what earlier runs of its family left. */
export function keepExtension({ store, identities }: Prepared, { id, name: stage }: Stage, record: KeyRecord): void {
  const { extend } = identities.get(id)!
  if (extend.length === 0) return
  const [folder, key, family] = [store.stageFolder(stage), keyOf(record), familyOf(record, extend)]
  const left = join(store.checkpoint(stage, key).folder, EXTEND)
  if (!existsSync(left)) return
  const earlier = familiarNames(folder, family)
  for (const name of earlier) remove(store.abandon(stage, key, join(folder, name)))
  renameSync(left, join(folder, `.extend-${key}-${family}`))
}

/**
 * Links what a shorter run left into the checkpoint of a run that has none yet, whole or not at all. Its files are
 * written anew and never changed, so that a link is as good as a copy and takes no room.
 */
export function offerExtension({ store, identities }: Prepared, { id, name: stage }: Stage, record: KeyRecord): void {
  const { extend } = identities.get(id)!
  if (extend.length === 0) return
  const { folder } = store.checkpoint(stage, keyOf(record))
  const [name] = familiarNames(store.stageFolder(stage), familyOf(record, extend))
  if (name === undefined || readdirSync(folder).length > 0) return
  const draft = join(folder, `.${token()}`)
  mkdirSync(draft)
  try {
    const source = join(store.stageFolder(stage), name)
    for (const file of readdirSync(source)) linkOrCopy(join(source, file), join(draft, file))
    renameSync(draft, join(folder, EXTEND))
  } catch (error) {
    remove(draft)
    // another run has just put its own in the place: it begins from the start
    if (errorCode(error) !== 'ENOENT') throw error
  }
}

/** What is said where a file system has no hard links, or no more of them. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'])

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch (error) {
    if (!NO_LINKS.has(errorCode(error) ?? '')) throw error
    copyFileSync(from, to, constants.COPYFILE_FICLONE)
  }
}

const familiarNames = (folder: string, family: Digest): string[] =>
  readdirSync(folder).filter((name) => name.startsWith('.extend-') && name.endsWith(`-${family}`))
