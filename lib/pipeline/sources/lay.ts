import { constants, copyFileSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Digest } from '../canonical.ts'
import { isExecutable } from '../executable.ts'
import { remove } from '../files.ts'
import { contentOf } from '../stage-inputs.ts'
import type { StatCache } from '../stat-cache.ts'
import type { Commit } from './commit.ts'
import type { Listed, ListedFile } from './listing.ts'
import { openPack, writePack } from './pack.ts'
import type { Pack } from './pack.ts'

/** A source as an experiment read it. */
export interface Wanted {
  readonly digest: Digest
  /** Where it lay, and may still be in part. */
  readonly here: string
  /** Where copies may be; the first is where one belongs. */
  readonly copies: readonly [own: string, ...others: readonly string[]]
  readonly commit: Commit | undefined
}

/**
 * Lays a source at a place of its own: from its copy, from those files in the working tree that are as they were, and
 * from the commit that was checked out. A copy that is not there or damaged is made anew. Gives why it cannot be laid;
 * undefined where it is.
 */
export async function laySource(wanted: Wanted, to: string, stats: StatCache): Promise<string | undefined> {
  const { digest, here, copies, commit } = wanted
  mkdirSync(dirname(to), { recursive: true })
  const packs = copies.map((file) => openPack(file, digest))
  const found = packs.filter((pack) => pack !== undefined)
  const laid = { damaged: packs[0] === undefined, lost: [] as ListedFile[] }
  try {
    if (found.length > 0) await layFiles(found, wanted, to, laid, stats)
    else await commit?.tree(here, to)
  } finally {
    for (const pack of found) pack.close()
  }
  if (laid.lost.length > 0 || (await contentOf(stats, to)) !== digest) {
    remove(to)
    return whyNot(wanted, found, laid)
  }
  if (laid.damaged) await writePack(copies[0], { path: to, digest }, stats)
  return undefined
}

interface Laid {
  /** The copy is to be made anew. */
  damaged: boolean
  /** Files that are nowhere. */
  readonly lost: ListedFile[]
}

async function layFiles(
  packs: readonly Pack[],
  wanted: Wanted,
  root: string,
  laid: Laid,
  stats: StatCache,
): Promise<void> {
  const { entries } = packs[0]!
  // what a link in the tree leads to is in the tree
  const linked = new Set(entries.flatMap((entry) => (entry.kind === 'link' ? [entry.target] : [])))
  for (const entry of entries) if (entry.kind === 'folder') mkdirSync(join(root, entry.path), { recursive: true })
  for (const entry of entries) {
    if (entry.kind !== 'file') continue
    const to = join(root, entry.path)
    const kept = keptContent(packs, entry, laid)
    if (kept !== undefined) writeFileSync(to, kept, { flag: 'wx', mode: modeOf(entry) })
    else if (
      !takeHere(join(wanted.here, entry.path), entry, to, stats, linked.has(entry.path)) &&
      !(await fromCommit(wanted, entry, to, stats))
    )
      laid.lost.push(entry)
  }
  const paths = new Set(entries.map(({ path }) => path))
  // the last, so that nothing is written through one
  for (const entry of entries) if (entry.kind === 'link') symlinkSync(linkText(entry, paths), join(root, entry.path))
}

function keptContent(packs: readonly Pack[], entry: ListedFile, laid: Laid): Buffer | undefined {
  for (const pack of packs) {
    const bytes = pack.read(entry)
    if (bytes !== undefined) return bytes
    if (pack.holds(entry)) laid.damaged = true
  }
  return undefined
}

/** A large file that is as it was is linked; where it must be a file, a disk that can share its blocks does so. */
function takeHere(
  from: string,
  { size, digest, executable }: ListedFile,
  to: string,
  stats: StatCache,
  asFile: boolean,
): boolean {
  const stat = statSync(from, { bigint: true, throwIfNoEntry: false })
  if (stat?.isFile() !== true || Number(stat.size) !== size || isExecutable(stat) !== executable) return false
  if (stats.file(from) !== digest) return false
  if (!asFile) {
    try {
      symlinkSync(from, to)
      return true
    } catch {
      // a disk without links
    }
  }
  copyFileSync(from, to, constants.COPYFILE_FICLONE)
  return true
}

async function fromCommit({ here, commit }: Wanted, entry: ListedFile, to: string, stats: StatCache): Promise<boolean> {
  if ((await commit?.file(join(here, entry.path), to, modeOf(entry))) && stats.file(to) === entry.digest) return true
  remove(to)
  return false
}

const modeOf = ({ executable }: ListedFile): number => (executable ? 0o755 : 0o644)

/** See `Entry` of walk.ts. */
function linkText({ path, target }: Extract<Listed, { kind: 'link' }>, paths: ReadonlySet<string>): string {
  if (target.startsWith('?') && !paths.has(target)) return target.slice(1)
  return relative(dirname(path), target) || '.'
}

function whyNot({ copies, commit }: Wanted, packs: readonly Pack[], { lost: [lost] }: Laid): string {
  const there = copies.find((file) => existsSync(file))
  const kept =
    lost !== undefined
      ? `what was kept of it lacks "${lost.path}" (${lost.size} bytes)`
      : packs.length === 0 && there !== undefined
        ? `the copy of it, "${there}", is damaged`
        : 'no copy of it was kept'
  const git =
    commit === undefined ? 'and no commit is known here that has it' : `and the commit ${commit.id} has another`
  return `${kept}, ${git}`
}
