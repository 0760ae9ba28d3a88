import { homedir } from 'node:os'
import { dirname, basename, join, sep } from 'node:path'
import { packageRoot } from '../util/package-root.ts'
import { AUDIT_VARIABLE, realPlace } from './access.ts'
import type { Access } from './access.ts'
import type { Job } from './host-protocol.ts'
import { isPassed } from './job.ts'
import { enginePlaces } from './packages.ts'
import type { Stage } from './pipeline.ts'
import type { Prepared } from './prepare.ts'
import type { Work } from './store.ts'

export interface AuditedStage {
  readonly prepared: Prepared
  readonly stage: Stage
  readonly job: Job
  readonly work: Work
}

/** Of the machine: programs and libraries of the system, devices, and what every program asks of it. */
const SYSTEM =
  /^(\/(usr|bin|sbin|lib\w*|proc|sys|dev|System|Library|opt\/homebrew|nix\/store|gnu\/store)(\/|$)|\/(var\/)?run\/(nscd|systemd\/resolve)\/|\/etc\/(ld\.so\.\w+|localtime|timezone|locale\.\w+|ssl|ca-certificates|pki|alternatives|nsswitch\.conf|resolv\.conf|host\.conf|hosts|gai\.conf|services|protocols|passwd|group|machine-id|inputrc|mime\.types|python3[\w.]*|OpenCL|vulkan|nvidia)(\/|$))/
const LIBRARY = /\.(so(\.[\d.]+)?|dylib|dll|node)$/i

/** Tells whether a stage may reach for something without a word; asked in the order in which it did. */
export function boundsOf(audited: AuditedStage): (access: Access) => boolean {
  const { prepared, stage } = audited
  const root = realPlace(prepared.project.folder)
  const inputs = inputPaths(audited)
  const declared = [...inputs, ...inputs.map(realPlace)]
  const own = ownPaths(audited)
  const locks = audited.job.locks.map(({ folder }) => realPlace(folder))
  const packages = packagesOf(prepared, stage)
  const installed = [prefixOf(process.execPath)]
  const made: string[] = []

  const coversPath = ({ kind, name, real }: Access): boolean => {
    if (
      isIn(own, real) ||
      isIn(made, real) ||
      locks.some((folder) => isLock(real, folder)) ||
      /^\/(proc|dev|sys)\//.test(real)
    )
      return true
    if (kind === 'write') made.push(real)
    if (kind === 'write' || kind === 'remove') return false
    // what a program brings along is its own, but a project or a home with a `bin` is no installation
    if (kind === 'exec' && !leadsTo([root, realPlace(homedir())], prefixOf(real))) installed.push(prefixOf(real))
    if (isIn(declared, name) || isIn(declared, real) || SYSTEM.test(real) || isIn(installed, real)) return true
    const inPackage = packageAt(name) ?? packageAt(real)
    if (kind === 'check') return inPackage !== undefined || !isIn([root], real) || leadsTo([...declared, ...own], real)
    if (inPackage !== undefined) return packages.some((place) => isIn([place], inPackage))
    return LIBRARY.test(real) && !isIn([root], real)
  }

  return (access) => {
    const { kind, name } = access
    if (kind === 'env') return isPassed(name) || name === AUDIT_VARIABLE || stage.env.includes(name)
    if (kind === 'connect') return isRemote(stage)
    return kind !== 'run' && coversPath(access)
  }
}

/** The host looks who else makes the same. */
const isLock = (path: string, folder: string): boolean => path === folder || path.startsWith(join(folder, '.lock-'))

/** Where it works, and what runs it. */
function ownPaths({ prepared, stage, job, work }: AuditedStage): string[] {
  const host = [join(packageRoot(), 'node_modules', '.cache', 'pipeline'), join(packageRoot(), 'dist')]
  const caches = isRemote(stage) ? sourceCaches(process.env) : []
  return [work.folder, job.checkpoint, prepared.project.cache, ...host, ...caches].map(realPlace)
}

const isIn = (folders: readonly string[], path: string): boolean =>
  folders.some((folder) => path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep))

/** Whether it is one of these paths, or a folder on the way to one. */
export const leadsTo = (paths: readonly string[], folder: string): boolean => paths.some((path) => isIn([folder], path))

/** Where the program in `bin` is installed with all that belongs to it; of any other program, its file. */
const prefixOf = (program: string): string =>
  /^(s?bin|shims)$/.test(basename(dirname(program))) ? dirname(dirname(program)) : program

/** The part of a path after its first `node_modules`. */
export const packageAt = (path: string): string | undefined =>
  /[/\\]node_modules[/\\](.+)$/.exec(path)?.[1]?.replaceAll('\\', '/')

/** The places in node_modules that a stage may load from. */
function packagesOf({ project, identities }: Prepared, stage: Stage): readonly string[] {
  const bundled = identities.get(stage.id)!.bundle
  return bundled === undefined ? [] : [...Object.keys(bundled.packages), ...enginePlaces(project.folder)]
}

function inputPaths({ stage, job }: AuditedStage): string[] {
  return Object.entries(stage.in).flatMap(([name, input]) => {
    const value = job.in[name]
    if (input.kind === 'string') return []
    return typeof value === 'string' ? [value] : Object.values(value as Record<string, string>)
  })
}

/** A pinned source elsewhere is fetched by the stage itself, and what was fetched is held against its digest. */
const isRemote = (stage: Stage): boolean =>
  Object.values(stage.in).some((input) => input.kind === 'string' && /^(hub|https):/.test(input.value))

/** Where the hub's clients keep what they fetched, and the token. */
function sourceCaches(env: NodeJS.ProcessEnv): string[] {
  const home = env['HF_HOME'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'huggingface')
  return [home, env['HF_HUB_CACHE'], env['HF_TOKEN_PATH']].filter((path) => path !== undefined)
}
