import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AUDIT_VARIABLE, realEntry, realIfThere, realPlace } from './access.ts'
import type { Access } from './access.ts'
import { watchEnvironment } from './audit-env.ts'
import { watchProcesses } from './audit-processes.ts'

/**
 * Loaded before anything else into every thread of an audited module (`node --require`): writes down each path, variable,
 * program and host that JavaScript asks for. Native code and other programs are seen by strace alone.
 */
type Call = (...args: never[]) => unknown
type Functions = Record<string, Call>
type Paths = readonly (readonly [Access['kind'], number])[]

const { openSync, writeSync } = fs
const trace = process.env[AUDIT_VARIABLE]
const seen = new Set<string>()
let fd: number | undefined

function tell(kind: Access['kind'], name: string, real = ''): void {
  const line = `${JSON.stringify({ kind, name, real } satisfies Access)}\n`
  if (seen.has(line)) return
  seen.add(line)
  fd ??= openSync(trace!, 'a')
  writeSync(fd, line)
}

/** By function of node:fs, without `Sync`: what it does to which of its arguments. `open` goes by its flags. */
const FILES: Readonly<Record<string, Paths>> = {
  ...each(['readFile', 'readdir', 'opendir', 'openAsBlob'], [['read', 0]]),
  ...each(['access', 'exists', 'stat', 'lstat', 'readlink', 'realpath', 'watch', 'watchFile'], [['check', 0]]),
  ...each(['writeFile', 'appendFile', 'truncate', 'mkdir'], [['write', 0]]),
  ...each(['rm', 'rmdir', 'unlink'], [['remove', 0]]),
  ...each(
    ['copyFile', 'cp', 'link'],
    [
      ['read', 0],
      ['write', 1],
    ],
  ),
  rename: [
    ['remove', 0],
    ['write', 1],
  ],
  symlink: [['write', 1]],
}

function each(names: readonly string[], paths: Paths): Record<string, Paths> {
  return Object.fromEntries(names.map((name) => [name, paths]))
}

/** The streams of node:fs open their files by its `open`. */
function watchFiles(functions: Functions): void {
  for (const [name, paths] of Object.entries(FILES)) {
    const tellPaths = (args: readonly unknown[]): void => paths.forEach(([kind, index]) => tellPath(kind, args[index]))
    watch(functions, name, tellPaths)
    watch(functions, `${name}Sync`, tellPaths)
  }
  const tellOpen = (args: readonly unknown[]): void => kindsOf(args[1]).forEach((kind) => tellPath(kind, args[0]))
  watch(functions, 'open', tellOpen)
  watch(functions, 'openSync', tellOpen)
  watchTemporary(functions, 'mkdtemp')
  watchTemporary(functions, 'mkdtempSync')
}

/** The name of a temporary folder is known once it is made. */
function watchTemporary(functions: Functions, name: string): void {
  const original = functions[name]
  if (original === undefined) return
  const tellMade = <T>(path: T): T => {
    tellPath('write', path)
    return path
  }
  functions[name] = function (this: unknown, ...args: unknown[]): unknown {
    const last = args.at(-1) as ((error: unknown, path: unknown) => void) | undefined
    if (typeof last === 'function')
      args[args.length - 1] = (error: unknown, path: unknown) => last(error, tellMade(path))
    const made: unknown = Reflect.apply(original, this, args)
    return made instanceof Promise ? made.then(tellMade) : tellMade(made)
  }
}

function watch(functions: Functions, name: string, before: (args: readonly unknown[]) => void): void {
  const original = functions[name]
  if (original === undefined) return
  const watched = function (this: unknown, ...args: never[]): unknown {
    before(args)
    return Reflect.apply(original, this, args)
  }
  // util.promisify and realpath.native hang on the function
  functions[name] = Object.defineProperties(watched, Object.getOwnPropertyDescriptors(original))
}

/** `r+` and `a+` read and write. */
function kindsOf(flags: unknown): Access['kind'][] {
  if (typeof flags === 'number') {
    const { O_CREAT, O_RDWR, O_TRUNC, O_WRONLY } = fs.constants
    return (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) === 0 ? ['read'] : flags & O_RDWR ? READ_WRITE : ['write']
  }
  if (typeof flags !== 'string' || /^r?s?$/.test(flags)) return ['read']
  return /r/.test(flags) ? READ_WRITE : ['write']
}

const READ_WRITE: Access['kind'][] = ['read', 'write']

function tellPath(kind: Access['kind'], argument: unknown): void {
  const path = pathOf(argument)
  if (path === undefined) return
  // a file that is not there cannot be read, but its absence can decide
  const isThere = kind !== 'read' || realIfThere(path) !== undefined
  tell(isThere ? kind : 'check', path, kind === 'remove' ? realEntry(path) : realPlace(path))
}

function pathOf(argument: unknown): string | undefined {
  if (typeof argument === 'string') return resolve(argument)
  if (Buffer.isBuffer(argument)) return resolve(argument.toString())
  if (argument instanceof URL && argument.protocol === 'file:') return fileURLToPath(argument)
  return undefined // a descriptor, whose file was seen when it was opened
}

if (trace !== undefined) {
  watchFiles(fs as unknown as Functions)
  watchFiles(fs.promises as unknown as Functions)
  watchProcesses(tell)
  watchEnvironment((name) => tell('env', name))
  syncBuiltinESMExports()
}
