import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../lib/util/package-root.ts'
import { binOf } from '../command.ts'

/** A tool, used as its own manual says, by its own binary. */
export interface Tool {
  readonly name: string
  /** Makes its project of a folder that has the inputs and the program. */
  readonly setUp: (folder: string) => void
  readonly argv: readonly string[]
  readonly env: (folder: string) => Readonly<Record<string, string>>
}

/** Of the chain that each tool has. */
export const STAGES = 7

const WIREIT = '0.14.13'
const TURBO = '2.11.11'
const DVC = '3.67.1'
/** Peers that hang are given up. */
const MOST_MS = 90_000
const peers = join(import.meta.dirname, '..', '.peers')

/** Seconds from start to exit; undefined where it took too long or failed. */
export async function secondsOf(tool: Tool, folder: string): Promise<number | undefined> {
  const started = performance.now()
  const child = spawn(tool.argv[0]!, tool.argv.slice(1), {
    ...{ cwd: folder, stdio: ['ignore', 'ignore', 'inherit'], timeout: MOST_MS },
    env: { ...process.env, ...tool.env(folder) },
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code === 0 ? (performance.now() - started) / 1000 : undefined
}

const numbers = Array.from({ length: STAGES }, (_, i) => i + 1)
const inputOf = (i: number): string => (i === 1 ? 'data' : `o${i - 1}.txt`)

export const ours: Tool = {
  name: 'ours',
  setUp: (folder) => {
    const lines = numbers.map((i) => {
      const input = i === 1 ? 'data' : `s${i - 1}.o`
      return `  s${i}:\n    cmd: [sh, make.sh, '\${in.a}', '\${out.o}']\n    in: { a: ${input} }\n    out: [o]\n`
    })
    writeFileSync(join(folder, 'pipeline.yaml'), `version: 1\nstages:\n${lines.join('')}`)
    writeFileSync(join(folder, 'package.json'), '{"private":true}')
  },
  argv: [process.execPath, binOf(packageRoot()), 'run'],
  env: () => ({}),
}

export function wireit(): Tool {
  const modules = npmInstalled('wireit', WIREIT)
  return {
    name: `wireit ${WIREIT}`,
    setUp: (folder) => {
      const scripts = Object.fromEntries(numbers.map((i) => [`s${i}`, 'wireit']))
      const settings = Object.fromEntries(
        numbers.map((i) => [
          `s${i}`,
          {
            command: `sh make.sh ${inputOf(i)} o${i}.txt`,
            ...(i === 1 ? { files: ['data/**'] } : { files: [], dependencies: [`s${i - 1}`] }),
            output: [`o${i}.txt`],
          },
        ]),
      )
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'noop', scripts, wireit: settings }))
      symlinkSync(modules, join(folder, 'node_modules'))
    },
    argv: [process.execPath, join(modules, 'wireit', 'bin', 'wireit.js')],
    // what `npm run` sets; npm itself would only add its own start
    env: (folder) => ({
      npm_lifecycle_event: `s${STAGES}`,
      npm_package_json: join(folder, 'package.json'),
      npm_config_user_agent: 'npm/11.0.0',
      WIREIT_CACHE: 'local',
      WIREIT_LOGGER: 'quiet',
    }),
  }
}

export function turbo(): Tool {
  const modules = npmInstalled('turbo', TURBO)
  return {
    name: `Turborepo ${TURBO}`,
    setUp: (folder) => {
      const scripts = Object.fromEntries(numbers.map((i) => [`s${i}`, `sh make.sh ${inputOf(i)} o${i}.txt`]))
      const tasks = Object.fromEntries(
        numbers.map((i) => {
          const [inputs, dependsOn] = i === 1 ? [['data/**'], []] : [[inputOf(i)], [`s${i - 1}`]]
          return [`s${i}`, { inputs, dependsOn, outputs: [`o${i}.txt`] }]
        }),
      )
      const description = { name: 'noop', private: true, packageManager: 'npm@11.0.0', scripts }
      writeFileSync(join(folder, 'package.json'), JSON.stringify(description))
      writeFileSync(join(folder, 'turbo.json'), JSON.stringify({ tasks }))
      writeFileSync(join(folder, '.gitignore'), 'o*.txt\nran.log\n.turbo\nnode_modules\n')
      symlinkSync(modules, join(folder, 'node_modules'))
      // it takes the digests of committed files from git's index
      const git = (...args: readonly string[]): unknown =>
        execFileSync('git', ['-c', 'user.name=noop', '-c', 'user.email=noop@localhost', ...args], { cwd: folder })
      git('init', '--quiet')
      git('add', '--all')
      git('commit', '--quiet', '--message', 'inputs')
    },
    argv: [join(modules, '.bin', 'turbo'), 'run', `s${STAGES}`, '--output-logs=none'],
    env: () => ({ TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' }),
  }
}

export function dvc(): Tool {
  const folder = join(peers, 'dvc')
  const bin = join(folder, 'bin', 'dvc')
  if (!existsSync(bin)) {
    execFileSync('python3', ['-m', 'venv', folder], { stdio: ['ignore', 2, 2] })
    execFileSync(join(folder, 'bin', 'pip'), ['install', '--quiet', `dvc==${DVC}`], { stdio: ['ignore', 2, 2] })
  }
  const env = { DVC_NO_ANALYTICS: '1' }
  return {
    name: `DVC ${DVC}`,
    setUp: (project) => {
      const lines = numbers.map(
        (i) => `  s${i}: { cmd: sh make.sh ${inputOf(i)} o${i}.txt, deps: [${inputOf(i)}], outs: [o${i}.txt] }\n`,
      )
      execFileSync(bin, ['init', '--no-scm', '--quiet'], { cwd: project, env: { ...process.env, ...env } })
      writeFileSync(join(project, 'dvc.yaml'), `stages:\n${lines.join('')}`)
    },
    argv: [bin, 'repro', '--quiet'],
    env: () => env,
  }
}

/** The folder of packages in which this one stands, installed beside the other peers. */
export function npmInstalled(name: string, version: string): string {
  const home = join(peers, name)
  if (!existsSync(join(home, 'node_modules', name))) {
    mkdirSync(home, { recursive: true })
    const args = ['install', '--prefix', home, '--no-audit', '--no-fund', '--no-save', `${name}@${version}`]
    execFileSync('npm', args, { stdio: ['ignore', 2, 2] })
  }
  return join(home, 'node_modules')
}
