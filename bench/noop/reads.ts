import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ours } from './tools.ts'

/**
 * Loaded before the command: from then on every file that Node opens under the folder is written down with its size.
 * All of the command's reading goes through these; what it starts inherits the setting.
 */
const WATCH = `
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
const { READS_UNDER: under, READS_LOG: log } = process.env
const write = fs.appendFileSync, stat = fs.statSync
const note = (path) => {
  if (typeof path === 'number' || !String(path).startsWith(under)) return
  write(log, String(stat(path).size) + '\\n')
}
for (const [owner, name] of [[fs, 'openSync'], [fs, 'open'], [fs, 'readFileSync'], [fs, 'readFile'], [fs, 'createReadStream'],
  [fs, 'copyFileSync'], [fs, 'cpSync'], [fs.promises, 'open'], [fs.promises, 'readFile'], [fs.promises, 'copyFile']]) {
  const original = owner[name]
  owner[name] = (path, ...rest) => (note(path), original.call(owner, path, ...rest))
}
syncBuiltinESMExports()
`

/** Bytes of the files under \`data\` that a run of ours opens. */
export function inputBytesRead(folder: string): number {
  const [hook, log] = [join(folder, '..', 'watch.mjs'), join(folder, '..', 'reads.log')]
  writeFileSync(hook, WATCH)
  writeFileSync(log, '')
  const { status } = spawnSync(ours.argv[0]!, ours.argv.slice(1), {
    ...{ cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] },
    env: { ...process.env, NODE_OPTIONS: `--import=${hook}`, READS_UNDER: join(folder, 'data'), READS_LOG: log },
  })
  if (status !== 0) throw new Error(`the run ended with exit code ${status ?? 'none'}`)
  return readFileSync(log, 'utf8')
    .split('\n')
    .reduce((sum, line) => sum + Number(line), 0)
}
