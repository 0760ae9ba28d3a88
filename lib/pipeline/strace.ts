import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { realEntry, realPlace } from './access.ts'
import type { Access } from './access.ts'

/** What each system call does to the paths among its arguments, in their order; `open`: its flags say it. */
const CALLS: Readonly<Record<string, readonly (Access['kind'] | 'open' | 'nothing')[]>> = {
  ...each(['open', 'openat', 'openat2'], ['open']),
  ...each(['creat', 'truncate', 'mkdir', 'mkdirat'], ['write']),
  ...each(['access', 'faccessat', 'faccessat2', 'stat', 'lstat', 'newfstatat', 'statx'], ['check']),
  ...each(['execve', 'execveat'], ['exec']),
  ...each(['rename', 'renameat', 'renameat2'], ['remove', 'write']),
  ...each(['link', 'linkat'], ['read', 'write']),
  ...each(['symlink', 'symlinkat'], ['nothing', 'write']),
  ...each(['unlink', 'unlinkat', 'rmdir'], ['remove']),
  ...each(['connect', 'chdir'], ['nothing']),
}

function each<T>(names: readonly string[], value: T): Record<string, T> {
  return Object.fromEntries(names.map((name) => [name, value]))
}

/**
 * The command line before another one that traces it. The tracer is in a process group of its own (`-DD`): the traced
 * process stays the direct child, with the number and the group that it would have had. `?` before a call: no error
 * where this processor does not have it.
 */
export const straceCommand = (file: string): readonly string[] => [
  ...['strace', '-f', '-DD', '-y', '-qq', '--seccomp-bpf', '-s', '4096', '-o', file, '-e', 'signal=none'],
  ...[
    '-e',
    `trace=${Object.keys(CALLS)
      .map((name) => `?${name}`)
      .join(',')}`,
    '--',
  ],
]

let works: boolean | undefined

/** Whether strace is there and may trace: some containers forbid it. */
export const straceWorks = (): boolean => (works ??= process.platform === 'linux' && tracesTrue())

function tracesTrue(): boolean {
  const [strace, ...args] = straceCommand('/dev/null')
  return spawnSync(strace!, [...args, 'true'], { stdio: 'ignore' }).status === 0
}

interface Call {
  readonly pid: string
  readonly name: string
  readonly args: string
  /** What stands after `= `. */
  readonly result: string
}

/** What a trace says, in its order. `cwd` is where the traced program was started. */
export function readStrace(file: string, cwd: string): Access[] {
  const folders = new Map<string, string>()
  return callsOf(readFileSync(file, 'latin1')).flatMap((call) => {
    const { pid, name, args, result } = call
    if (name === 'connect') return connection(args)
    // the older calls do not say which folder a path is relative to; the newer ones of the same process do
    const here = /AT_FDCWD<((?:[^>\\]|\\.)*)>/.exec(args)?.[1]
    if (here !== undefined) folders.set(pid, unescaped(here))
    const paths = pathsOf(args, folders.get(pid) ?? cwd)
    if (name === 'chdir' && result === '0') folders.set(pid, paths[0]!)
    return accessesOf(call, paths)
  })
}

/** The calls of all processes, those put together that a line of another process had cut in two. */
function callsOf(text: string): Call[] {
  const begun = new Map<string, string>()
  return text.split('\n').flatMap((line) => {
    const [, pid = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    if (rest.endsWith(' <unfinished ...>')) {
      begun.set(pid, rest.slice(0, -' <unfinished ...>'.length))
      return []
    }
    const end = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1]
    const whole = end === undefined ? rest : (begun.get(pid) ?? '') + end
    const [, name, args, result] = /^(\w+)\((.*)\)\s+= (.*)$/.exec(whole) ?? []
    return name === undefined ? [] : [{ pid, name, args: args!, result: result! }]
  })
}

/** `AT_FDCWD</folder>, "path"` and `"path"`; an empty path is a descriptor, whose file was seen when it was opened. */
function pathsOf(args: string, cwd: string): string[] {
  const found = args.matchAll(/(?:(?:AT_FDCWD|\d+)<((?:[^>\\]|\\.)*)>, )?"((?:[^"\\]|\\.)*)"/g)
  return [...found].flatMap(([, folder, path = '']) =>
    path === '' ? [] : [resolve(folder === undefined ? cwd : unescaped(folder), unescaped(path))],
  )
}

function accessesOf({ name, args, result }: Call, paths: readonly string[]): Access[] {
  const kinds = CALLS[name] ?? []
  if (result.startsWith('-1 ')) {
    // that a file is not there can decide; a program is looked for along PATH
    const looked = /^(open|check)$/.test(kinds[0] ?? '') && /ENOENT|ENOTDIR/.test(result)
    return looked && paths[0] !== undefined ? [access('check', paths[0])] : []
  }
  return kinds.flatMap((kind, index) => {
    const path = paths[index]
    if (path === undefined || kind === 'nothing') return []
    // a link that it makes or removes is the link itself
    if (kind === 'remove' || name.startsWith('symlink'))
      return [{ kind: kind as Access['kind'], name: path, real: realEntry(path) }]
    if (kind !== 'open') return [access(kind, path)]
    const real = unescaped(/^\d+<((?:[^>\\]|\\.)*)>/.exec(result)?.[1] ?? '')
    return opened(args).map((how) => ({ kind: how, name: path, real: real || path }))
  })
}

function opened(args: string): Access['kind'][] {
  if (args.includes('O_PATH')) return ['check']
  if (args.includes('O_RDWR') && !/O_TRUNC|O_EXCL/.test(args)) return ['read', 'write']
  return /O_(WRONLY|RDWR|CREAT|TRUNC)/.test(args) ? ['write'] : ['read']
}

const access = (kind: Access['kind'], path: string): Access => ({ kind, name: path, real: realPlace(path) })

/** Sockets of this machine's own services (AF_UNIX, netlink) and name servers are none. */
function connection(args: string): Access[] {
  const port = /sin6?_port=htons\((\d+)\)/.exec(args)?.[1]
  const host = /inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"/.exec(args)
  if (port === undefined || port === '53' || port === '0') return []
  return [{ kind: 'connect', name: `${host?.[1] ?? host?.[2] ?? '?'}:${port}`, real: '' }]
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', v: '\v', f: '\f' }

/** strace writes bytes as C does: `\303\251`, `\n`, `\"`. */
function unescaped(text: string): string {
  const bytes = text.replace(/\\([0-7]{1,3}|.)/g, (_, what: string) =>
    /^[0-7]/.test(what) ? String.fromCharCode(parseInt(what, 8)) : (ESCAPES[what] ?? what),
  )
  return Buffer.from(bytes, 'latin1').toString()
}
