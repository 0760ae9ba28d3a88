import { existsSync, statSync } from 'node:fs'
import { dirname, relative, sep } from 'node:path'
import { realEntry, realPlace } from './access.ts'
import type { Access } from './access.ts'
import { leadsTo, packageAt } from './bounds.ts'
import type { AuditedStage } from './bounds.ts'
import type { Stage } from './pipeline.ts'

/** Something that a stage reached for and did not declare, or that nobody could look. */
export interface Finding {
  readonly code:
    'UNDECLARED_READ' | 'UNDECLARED_WRITE' | 'UNDECLARED_ENV' | 'UNDECLARED_PROGRAM' | 'UNDECLARED_HOST' | 'NOT_AUDITED'
  readonly message: string
}

/** More files of one folder than this are told as the folder. */
const MOST_FILES = 5

/** Words what is beyond the bounds of a stage, each thing once. */
export function findingsOf(audited: AuditedStage, undeclared: readonly Access[], canTrace: boolean): Finding[] {
  const root = realPlace(audited.prepared.project.folder)
  const { id } = audited.stage
  const of = (...kinds: readonly Access['kind'][]): Access[] => undeclared.filter(({ kind }) => kinds.includes(kind))
  const names = (kind: Access['kind']): string[] => [...new Set(of(kind).map(({ name }) => name))]
  const [packages, files] = partition(of('read', 'exec'), ({ real }) => packageAt(real) !== undefined)
  const read = grouped(files, root)
  const touched = undeclared.filter(({ kind }) => kind !== 'check').map(({ real }) => real)
  const looked = grouped(
    of('check').filter(({ real }) => !leadsTo(touched, real)),
    root,
  )
  // what is gone in the end, such as a file of a temporary folder, was nobody's but the stage's
  const written = grouped(
    of('write').filter(({ real }) => existsSync(real)),
    root,
  )
  const removed = grouped(of('remove'), root)
  const unseen = canTrace ? '' : ' What it reads is seen with strace alone, which is not there.'
  return [
    ...read.map((what) => finding('UNDECLARED_READ', `"${id}" reads ${what}. ${DECLARE}`)),
    ...[...new Set(packages.map(({ real }) => packageName(real)))].map((name) =>
      finding('UNDECLARED_READ', `"${id}" loads the package "${name}", whose version is not in its key. ${IMPORT}`),
    ),
    ...looked.map((what) => finding('UNDECLARED_READ', `"${id}" looks whether ${what} is there. ${DECLARE}`)),
    ...names('env').map((name) => finding('UNDECLARED_ENV', `"${id}" reads the variable "${name}". ${env(name)}`)),
    ...names('run').map((name) => finding('UNDECLARED_PROGRAM', `"${id}" runs "${name}".${unseen} ${PROGRAM}`)),
    ...names('connect').map((name) => finding('UNDECLARED_HOST', `"${id}" asks ${name} over the network. ${PIN}`)),
    ...written.map((what) => finding('UNDECLARED_WRITE', `"${id}" writes ${what}. ${WRITE}`)),
    ...removed.map((what) => finding('UNDECLARED_WRITE', `"${id}" removes ${what}. ${WRITE}`)),
  ]
}

const DECLARE = 'Its result may depend on it, but its key does not: declare it in `in:` of the stage.'
const IMPORT = 'Import it by its name in a module.'
const PROGRAM = 'Its version is in no key: give it a stage with `cmd:`, or do without it.'
const PIN = 'Fetch what it needs from a pinned source in `in:`, hub:… or https:….'
const WRITE = 'Nobody keeps or restores that: write to an output, or to the working folder of the stage.'
const env = (name: string): string => `It has no value in the stage: declare it, \`env: [${name}]\`.`

const finding = (code: Finding['code'], message: string): Finding => ({ code, message })

/** Without strace nobody sees what a program opens. */
export const notAudited = ({ id }: Stage): Finding =>
  finding(
    'NOT_AUDITED',
    `"${id}" was not audited: what a program opens is seen with strace, which is not there or may not trace. On Debian or Ubuntu: apt-get install strace. In a container: allow ptrace.`,
  )

function partition<T>(values: readonly T[], holds: (value: T) => boolean): [T[], T[]] {
  return [values.filter(holds), values.filter((value) => !holds(value))]
}

/** Paths for people; many of one folder as that folder. */
function grouped(accesses: readonly Access[], root: string): string[] {
  const seen = new Set<string>()
  const folders = new Map<string, Access[]>()
  for (const access of accesses) {
    if (seen.has(access.real)) continue
    seen.add(access.real)
    const folder = dirname(access.real)
    folders.set(folder, [...(folders.get(folder) ?? []), access])
  }
  return [...folders].flatMap(([folder, inside]) =>
    inside.length > MOST_FILES
      ? [`${inside.length} files in ${word(folder, root)}, such as ${word(inside[0]!.real, root)}`]
      : inside.map((access) => wordAccess(access, root)),
  )
}

/** A link with what it leads to. */
function wordAccess({ name, real }: Access, root: string): string {
  const asked = realEntry(name)
  const kind = statSync(real, { throwIfNoEntry: false })?.isDirectory() === true ? 'the folder ' : ''
  return kind + (asked === real ? word(real, root) : `${word(asked, root)} (a link to ${word(real, root)})`)
}

/** Relative to the project where inside. */
function word(path: string, root: string): string {
  const inside = relative(root, path)
  return `"${inside === '' ? '.' : inside.startsWith('..') ? path : inside.replaceAll(sep, '/')}"`
}

const packageName = (path: string): string => /^(@[^/]+\/)?[^/]+/.exec(packageAt(path)!)![0]
