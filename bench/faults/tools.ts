import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../lib/util/package-root.ts'
import { binOf } from '../command.ts'
import type { Outputs } from './project.ts'

/** A tool, used as its own manual says. */
export interface Tool {
  readonly name: string
  readonly outputs: Outputs
  /** Makes a project of a folder that has the program and the input. */
  readonly setUp: (folder: string) => void
  readonly command: (folder: string) => {
    readonly argv: readonly string[]
    readonly env: Readonly<Record<string, string>>
  }
  /** The folder in which it keeps the contents of outputs. */
  readonly cache: string
  /** What a user deletes to have an output restored. */
  readonly links: readonly string[]
}

export function start(tool: Tool, folder: string): ChildProcess {
  const { argv, env } = tool.command(folder)
  return spawn(argv[0]!, argv.slice(1), { cwd: folder, stdio: 'ignore', env: { ...process.env, ...env } })
}

/** Runs to the end; true where it says that all is well. */
export async function run(tool: Tool, folder: string): Promise<boolean> {
  const [code] = (await once(start(tool, folder), 'exit')) as [number | null]
  return code === 0
}

/** Files with contents of outputs in its cache, sorted. */
export function cachedFiles(tool: Tool, folder: string): string[] {
  const entries = readdirSync(join(folder, tool.cache), { recursive: true, withFileTypes: true })
  const files = entries.filter(
    (entry) => entry.isFile() && !/^(manifest\.json|log\.txt|fingerprint|manifest)$/.test(entry.name),
  )
  return files
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => lstatSync(file).size > 1)
    .sort()
}

export const ours: Tool = {
  name: 'ours',
  outputs: { upper: 'artifacts/upper/upper.txt', parts: 'artifacts/split/parts', joined: 'artifacts/slow/joined.txt' },
  setUp: (folder) => {
    writeFileSync(join(folder, 'package.json'), '{}')
    writeFileSync(join(folder, 'pipeline.yaml'), PIPELINE)
  },
  command: () => ({ argv: [process.execPath, binOf(packageRoot()), 'run'], env: {} }),
  cache: 'artifacts/store',
  links: ['artifacts/upper', 'artifacts/split', 'artifacts/slow'],
}

const PIPELINE = `version: 1
stages:
  upper:
    cmd: [sh, make.sh, upper, '\${in.input}', '\${out.upper}']
    in: { input: input.txt }
    out: [upper: upper.txt]
  split:
    cmd: [sh, make.sh, split, '\${in.upper}', '\${out.parts}']
    in: { upper: upper.upper }
    out: [parts]
  slow:
    cmd: [sh, make.sh, slow, '\${in.parts}', '\${in.input}', '\${out.joined}']
    in: { parts: split.parts, input: input.txt }
    out: [joined: joined.txt]
`

const plain: Outputs = { upper: 'upper.txt', parts: 'parts', joined: 'joined.txt' }

/** Pinned; installed beside the other peers. */
const WIREIT = '0.14.13'
const peers = join(import.meta.dirname, '..', '.peers')

export function wireit(): Tool {
  const home = join(peers, 'wireit')
  const bin = join(home, 'node_modules', 'wireit', 'bin', 'wireit.js')
  if (!existsSync(bin)) {
    mkdirSync(home, { recursive: true })
    const args = ['install', '--prefix', home, '--no-audit', '--no-fund', '--no-save', `wireit@${WIREIT}`]
    execFileSync('npm', args, { stdio: ['ignore', 2, 2] })
  }
  return {
    name: `wireit ${WIREIT}`,
    outputs: plain,
    setUp: (folder) => {
      writeFileSync(join(folder, 'package.json'), JSON.stringify(SCRIPTS))
      symlinkSync(join(home, 'node_modules'), join(folder, 'node_modules'))
    },
    // what `npm run slow` sets; npm itself would only stand between us and the process to be killed
    command: (folder) => ({
      argv: [process.execPath, bin],
      env: {
        npm_lifecycle_event: 'slow',
        npm_package_json: join(folder, 'package.json'),
        npm_config_user_agent: 'npm',
        WIREIT_CACHE: 'local',
      },
    }),
    cache: '.wireit',
    links: [plain.upper, plain.parts, plain.joined],
  }
}

const SCRIPTS = {
  name: 'faults',
  scripts: { upper: 'wireit', split: 'wireit', slow: 'wireit' },
  wireit: {
    upper: { command: 'sh make.sh upper input.txt upper.txt', files: ['input.txt'], output: ['upper.txt'] },
    split: { command: 'sh make.sh split upper.txt parts', dependencies: ['upper'], files: [], output: ['parts/**'] },
    slow: {
      command: 'sh make.sh slow parts input.txt joined.txt',
      dependencies: ['split'],
      files: ['input.txt'],
      output: ['joined.txt'],
    },
  },
}

export function dvc(): Tool {
  const folder = join(peers, 'dvc')
  const bin = join(folder, 'bin', 'dvc')
  const requirements = join(import.meta.dirname, '..', 'peers', 'requirements-faults.txt')
  if (!existsSync(bin)) {
    execFileSync('python3', ['-m', 'venv', folder], { stdio: ['ignore', 2, 2] })
    execFileSync(join(folder, 'bin', 'pip'), ['install', '--quiet', '-r', requirements], { stdio: ['ignore', 2, 2] })
  }
  const env = { DVC_NO_ANALYTICS: '1' }
  return {
    name: `DVC ${/dvc==(.*)/.exec(readFileSync(requirements, 'utf8'))![1]!}`,
    outputs: plain,
    setUp: (project) => {
      execFileSync(bin, ['init', '--no-scm', '--quiet'], { cwd: project, env: { ...process.env, ...env } })
      writeFileSync(join(project, 'dvc.yaml'), DVC_YAML)
    },
    command: () => ({ argv: [bin, 'repro', '--quiet'], env }),
    cache: '.dvc/cache/files',
    links: [plain.upper, plain.parts, plain.joined],
  }
}

const DVC_YAML = `stages:
  upper: { cmd: sh make.sh upper input.txt upper.txt, deps: [input.txt], outs: [upper.txt] }
  split: { cmd: sh make.sh split upper.txt parts, deps: [upper.txt], outs: [parts] }
  slow: { cmd: sh make.sh slow parts input.txt joined.txt, deps: [parts, input.txt], outs: [joined.txt] }
`
