import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder, syncFolder } from '../util/durable.ts'
import { Failure } from '../util/failure.ts'
import { nearest } from '../util/nearest.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import type { Digest } from './canonical.ts'
import { TAGS, listExperiments, readExperiment, recordFolders } from './experiment.ts'
import { refusedByWindows } from './file-names.ts'
import { remove } from './files.ts'

export interface Tagged {
  readonly tag: string
  readonly hash: Digest
  /** The experiment that had the tag before; null where none had. */
  readonly before: Digest | null
}

/**
 * Gives an experiment a name. A tag is an empty file in the experiment's folder, so that it goes where that goes, and
 * two made at once do not undo each other. It names one experiment: from another it moves.
 */
export function tagExperiment(root: string, experiment: string, tag: string): Result<Tagged, Failure> {
  const bad = badName(tag)
  if (bad !== undefined) return err(bad)
  const found = readExperiment(root, experiment)
  if (!found.ok) return found
  const { hash } = found.value.record
  const all = listExperiments(root)
  const alike = all.flatMap(({ tags }) => tags).find((one) => one !== tag && one.toLowerCase() === tag.toLowerCase())
  if (alike !== undefined) return err(new Failure('TAG_INVALID', collision(tag, alike)))
  const before = all.filter(({ record, tags }) => record.hash !== hash && tags.includes(tag))
  // the new one first: killed in between, the name is on two, which the next command says
  for (const folder of recordFolders(root, hash)) if (existsSync(folder)) putOn(folder, tag)
  for (const { record } of before) takeOff(root, record.hash, tag)
  return ok({ tag, hash, before: before[0]?.record.hash ?? null })
}

/** Takes a tag off its experiment, and gives that one's hash. */
export function deleteTag(root: string, tag: string): Result<Digest, Failure> {
  const all = listExperiments(root)
  const found = all.filter(({ tags }) => tags.includes(tag))
  if (found.length === 0) return err(unknownTag(tag, new Set(all.flatMap(({ tags }) => tags))))
  for (const { record } of found) takeOff(root, record.hash, tag)
  return ok(found[0]!.record.hash)
}

/** An empty file is there whole or not at all. */
function putOn(folder: string, tag: string): void {
  makeFolder(join(folder, TAGS))
  writeFileSync(join(folder, TAGS, tag), '')
  syncFolder(join(folder, TAGS))
}

function takeOff(root: string, hash: string, tag: string): void {
  for (const folder of recordFolders(root, hash)) remove(join(folder, TAGS, tag))
}

/** A tag stands where a hash may, and is the name of a file on every system. */
function badName(tag: string): Failure | undefined {
  if (/^[0-9a-f]+$/i.test(tag)) {
    const message = `"${tag}" cannot be a tag: it could be the beginning of a hash. Use a letter beyond "f", as in "v${tag}".`
    return new Failure('TAG_INVALID', message)
  }
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(tag) && refusedByWindows(tag) === undefined) return undefined
  const rule =
    'Tags have letters from A to Z, digits, ".", "_" and "-", begin with a letter or digit, end with no ".", are no name that Windows keeps for a device, and have at most 100 characters.'
  return new Failure('TAG_INVALID', `"${tag}" cannot be a tag. ${rule}`)
}

const collision = (tag: string, other: string): string =>
  `"${tag}" cannot be a tag beside "${other}": not every disk tells case apart. Use "${other}", or delete it first.`

function unknownTag(tag: string, tags: ReadonlySet<string>): Failure {
  const near = nearest(tag, tags)
  const meant = near === undefined ? '' : ` Did you mean "${near}"?`
  const known = tags.size === 0 ? 'there are no tags' : `there are ${[...tags].sort().slice(0, 10).join(', ')}`
  return new Failure('TAG_UNKNOWN', `No experiment is tagged "${tag}"; ${known}.${meant}`)
}
