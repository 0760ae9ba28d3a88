import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../lib/util/package-root.ts'
import { binOf } from './command.ts'
import { copyProject } from './copy.ts'

/** `npm run record:temperature`: one change of temperature in a fresh copy, what the command says of it kept for the README. */
const copy = copyProject(packageRoot())
try {
  run('run')
  const file = join(copy, 'pipeline.yaml')
  const before = readFileSync(file, 'utf8')
  const after = before.replace(/^( +temperature): 2$/m, '$1: 4')
  if (after === before) throw new Error('pipeline.yaml has no "temperature: 2" to change')
  writeFileSync(file, after)
  const said = [
    "$ sed -i 's/temperature: 2/temperature: 4/' pipeline.yaml",
    '$ npx pipeline run --dry-run',
    run('run', '--dry-run'),
    '$ npx pipeline run',
    run('run'),
  ]
  writeFileSync(join(import.meta.dirname, 'results', 'temperature.txt'), `${said.join('\n')}\n`)
} finally {
  rmSync(copy, { recursive: true, force: true })
}

/** What the command prints for people, without its progress. */
function run(...args: string[]): string {
  const options = { cwd: copy, encoding: 'utf8', maxBuffer: 2 ** 26 } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [binOf(copy), ...args], options)
  if (status !== 0) throw new Error(stderr)
  const lines = stdout.trimEnd().split('\n')
  return lines.filter((line) => !/^ {9}\S+ {2}\d+ of \d+ /.test(line)).join('\n')
}
