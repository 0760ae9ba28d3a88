import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Outputs } from './project.ts'
import { linkTo } from './tools.ts'
import type { Tool } from './tools.ts'

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
        npm_config_user_agent: 'npm/10',
        WIREIT_CACHE: 'local',
      },
    }),
    program: 'node',
    cache: '.wireit',
    records: /^\.wireit\/[^/]+\/(fingerprint|manifest)$/,
    links: [plain.upper, plain.parts, plain.joined],
    // it has no cache for several projects; each script's can be a link
    share: (folder, shared) => {
      for (const script of readdirSync(join(folder, '.wireit')))
        linkTo(join(folder, '.wireit', script, 'cache'), join(shared, script))
    },
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
    // not --quiet, which takes its errors too
    command: (project) => ({ argv: [bin, 'repro'], env: { ...env, DVC_SITE_CACHE_DIR: `${project}.site` } }),
    program: 'python',
    cache: '.dvc/cache/files',
    records: /^dvc\.lock$|^\.dvc\/cache\/(files\/.*\.dir$|runs\/)/,
    links: [plain.upper, plain.parts, plain.joined],
    share: (project, shared) => {
      linkTo(join(project, '.dvc', 'cache'), shared)
      rmSync(join(project, '.dvc', 'cache'))
      for (const args of [
        ['cache', 'dir', shared],
        ['config', 'cache.shared', 'group'],
      ])
        execFileSync(bin, args, { cwd: project, env: { ...process.env, ...env } })
    },
  }
}

const DVC_YAML = `stages:
  upper: { cmd: sh make.sh upper input.txt upper.txt, deps: [input.txt], outs: [upper.txt] }
  split: { cmd: sh make.sh split upper.txt parts, deps: [upper.txt], outs: [parts] }
  slow: { cmd: sh make.sh slow parts input.txt joined.txt, deps: [parts, input.txt], outs: [joined.txt] }
`
