import { cpSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { BUNDLES, METRICS, PINNED, TAGS, readExperiment, recordFolders, tagsIn } from './experiment.ts'
import type { ExperimentRecord } from './experiment.ts'
import { messageOf, writeAtomic } from './files.ts'
import { LARGEST_IN_GIT, keptOutputs } from './kept-outputs.ts'
import { RECORD } from './record-file.ts'
import { copiesOf } from './sources/pool.ts'
import { git } from './surroundings.ts'

/** Keeps an experiment from gc, and adds its record, metrics and code to git under `experiments/<hash>/`. Gives that folder. */
export async function pinExperiment(
  root: string,
  prefix: string,
): Promise<Result<{ folder: string; inGit: boolean }, Failure>> {
  const found = readExperiment(root, prefix)
  if (!found.ok) return found
  const { hash } = found.value.record
  const [own, folder] = recordFolders(root, hash)
  if (existsSync(own)) {
    writeAtomic(join(own, PINNED), '')
    mkdirSync(join(folder, BUNDLES), { recursive: true })
    // where every stage is a program of its own there is no bundle
    const names = existsSync(join(own, BUNDLES)) ? readdirSync(join(own, BUNDLES)) : []
    const bundles = names.map((name) => join(BUNDLES, basename(name)))
    const metrics = existsSync(join(own, METRICS)) ? [METRICS] : []
    const tags = tagsIn(own).map((tag) => join(TAGS, tag))
    const outputs = keptOutputs(own)
    for (const file of [...bundles, ...metrics, ...tags, ...outputs, RECORD])
      cpSync(join(own, file), join(folder, file))
    pinSources(root, found.value.record)
  }
  try {
    await git(root, ['add', '--', join('experiments', hash)])
    return ok({ folder, inGit: true })
  } catch (error) {
    if (/not a git repository|ENOENT/i.test(messageOf(error))) return ok({ folder, inGit: false })
    return err(
      new Failure('PIN_GIT', `git could not add "${folder}": ${messageOf(error)}`, { exitCode: 1, cause: error }),
    )
  }
}

/** Git has no room for the larger ones, or has them as they are. */
function pinSources(root: string, { hash, sources }: ExperimentRecord): void {
  for (const digest of Object.values(sources)) {
    const [copy, pinned] = copiesOf(root, hash, digest)
    const stat = statSync(copy, { throwIfNoEntry: false })
    if (stat !== undefined && stat.size <= LARGEST_IN_GIT) cpSync(copy, pinned)
  }
}
