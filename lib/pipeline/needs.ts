import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../util/failure.ts'
import { listExperiments, recordFolders, tagsIn } from './experiment.ts'
import type { ListedExperiment } from './experiment.ts'
import { linkedFolder } from './link.ts'
import { hasWholeRecord } from './record-file.ts'

/**
 * Why a result is kept: `artifacts/<stage>` points to it (`current`), a pinned or a tagged experiment has it, a run that
 * lives may read it (`running`), or it is a part of a result that is not made yet (`part`, see shards/). An experiment that is recorded and neither pinned nor tagged (`recorded`) keeps it from a
 * gc without a policy alone.
 */
export type Need = 'current' | 'pinned' | 'tagged' | 'running' | 'part' | 'recorded'

/**
 * Who needs which results, by their folder's path. Throws Failure PIN_UNREADABLE where a pinned or tagged experiment's record
 * does not tell: then nobody knows what is free to go.
 */
export function recordedNeeds(root: string): (folder: string) => Need[] {
  const current = currentFolders(join(root, 'artifacts'))
  const experiments = listExperiments(root)
  refuseUnreadable(root)
  const pinned = foldersOf(
    root,
    experiments.filter((one) => one.pinned),
  )
  const tagged = foldersOf(
    root,
    experiments.filter((one) => one.tags.length > 0),
  )
  const recorded = foldersOf(root, experiments)
  return (folder) => [
    ...(current.has(folder) ? (['current'] as const) : []),
    ...(pinned.has(folder) ? (['pinned'] as const) : []),
    ...(tagged.has(folder) ? (['tagged'] as const) : []),
    ...(recorded.has(folder) && !pinned.has(folder) && !tagged.has(folder) ? (['recorded'] as const) : []),
  ]
}

/** Where the links in `artifacts` point, those of cells in a folder of their own. */
function currentFolders(artifacts: string): Set<string> {
  const links = childrenOf(artifacts).filter((path) => path !== join(artifacts, 'store'))
  const all = links.flatMap(
    (path) => linkedFolder(path) ?? childrenOf(path).flatMap((cell) => linkedFolder(cell) ?? []),
  )
  return new Set(all)
}

function childrenOf(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name))
  } catch {
    return [] // a file that a user put there
  }
}

/** A stage of a matrix is recorded by cell, `train[2]`; its results are in one folder. */
function foldersOf(root: string, experiments: readonly ListedExperiment[]): Set<string> {
  const places = experiments.flatMap(({ record }) =>
    Object.entries(record.stages).map(([id, { key }]) =>
      join(root, 'artifacts', 'store', id.replace(/\[.*$/s, ''), key),
    ),
  )
  return new Set(places)
}

function refuseUnreadable(root: string): void {
  const own = join(root, 'artifacts', 'experiments')
  const pins = [
    ...childrenOf(own).filter((folder) => existsSync(join(folder, 'pinned')) || tagsIn(folder).length > 0),
    ...childrenOf(join(root, 'experiments')),
  ]
  const bad = pins.find(
    (folder) => /[/\\][0-9a-f]{64}$/.test(folder) && !recordFolders(root, folder.slice(-64)).some(hasWholeRecord),
  )
  if (bad === undefined) return
  const message = `The record of the pinned or tagged experiment "${bad}" cannot be read, so that its results are not known. Get "record.json" back from git, or remove that folder.`
  throw new Failure('PIN_UNREADABLE', message, { exitCode: 1 })
}
