import { existsSync, statSync, utimesSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Digest } from '../canonical.ts'
import type { Event } from '../event.ts'
import { recordFolders } from '../experiment.ts'
import { messageOf } from '../files.ts'
import { artifactsOf, experimentsOf } from '../prepare.ts'
import type { Prepared } from '../prepare.ts'
import { writePack } from './pack.ts'

/** Beside the folders of experiments. */
export const SOURCES = '.sources'

/** `artifacts/experiments/.sources/<digest>`: copies of what no stage makes, shared by the experiments that read it. */
export const poolOf = (root: string): string => join(experimentsOf(root), SOURCES)

/** Where an experiment's copy of a source may be. */
export const copiesOf = (root: string, hash: string, digest: Digest): readonly [own: string, pinned: string] => [
  join(poolOf(root), digest),
  join(recordFolders(root, hash)[1], 'sources', digest),
]

/**
 * Keeps a copy of every source that an experiment reads. Where that fails it is said; the run itself needs none. A
 * reproduction keeps none.
 */
export async function keepSources(prepared: Prepared, emit: (event: Event) => void): Promise<void> {
  const { artifacts, pipeline, sources, stats } = prepared
  if (artifacts !== artifactsOf(pipeline.root)) return
  for (const [path, digest] of sources) {
    const file = join(poolOf(pipeline.root), digest)
    try {
      if (!use(file)) await writePack(file, { path: resolve(pipeline.root, path), digest }, stats)
    } catch (error) {
      const message = `No copy of the source "${path}" could be kept (${messageOf(error)}). Once it is another one, the experiment cannot be reproduced.`
      emit({ type: 'notice', stage: null, code: 'SOURCE_NOT_KEPT', message })
      return // nor can there be one of the next
    }
  }
}

/** Notes that a copy is used now; false where there is none. */
export function use(file: string): boolean {
  if (!existsSync(file)) return false
  try {
    utimesSync(file, new Date(), new Date())
  } catch {
    // what cannot be written loses nothing by gc either
  }
  return true
}

/** When a copy was last made or used, in ms since 1970; undefined where there is none. */
export const usedAt = (file: string): number | undefined => statSync(file, { throwIfNoEntry: false })?.mtimeMs
