import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A copy of the project in a temporary folder, as after `npm ci`: no artifacts, no cache. */
export function copyProject(root: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'project-'))
  for (const file of filesOf(root)) cpSync(join(root, file), join(copy, file))
  linkPackages(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** What git tracks or would: the tree as it stands, edits and new files too. */
function filesOf(root: string): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  return listed.split('\0').filter((file) => file !== '' && existsSync(join(root, file)))
}

/** A link to each package, not to the folder of them all: the copy must have a `.cache` of its own. */
export function linkPackages(from: string, to: string): void {
  mkdirSync(to)
  for (const name of readdirSync(from)) if (name !== '.cache') symlinkSync(join(from, name), join(to, name), 'junction')
}
