import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Context, Ended, Line } from './command.ts'
import { Place } from './command.ts'

/** Two stages; each writes a line into `ran` where it runs, and `make` has files that are equal, empty, linked, a program. */
const pipelineWith = (remote: string): string => `version: 1
remote: ${remote}
params: { n: 1 }
stages:
  make:
    cmd: [node, make.mjs, '\${with.n}', '\${out.folder}']
    with: { n: '\${n}' }
    out: [folder]
  join:
    cmd: [node, join.mjs, '\${in.folder}', '\${out.text}']
    in: { folder: make.folder }
    out: [text]
`

const MAKE = `import { appendFileSync, chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
appendFileSync('ran', 'make\\n')
const [n, folder] = process.argv.slice(2)
mkdirSync(folder + '/deep/empty', { recursive: true })
for (let i = 0; i < 10; i++) writeFileSync(folder + '/deep/' + i, (n + ' ' + i).repeat(1000))
for (const name of ['same', 'program', 'none', 'nothing']) writeFileSync(folder + '/' + name, name[0] === 'n' ? '' : n)
chmodSync(folder + '/program', 0o755)
symlinkSync('deep/3', folder + '/link')
writeFileSync(folder + '/large', Buffer.alloc(17 * 1024 * 1024, n))
`

const JOIN = `import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
appendFileSync('ran', 'join\\n')
const [folder, text] = process.argv.slice(2)
const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
writeFileSync(text, files.map((entry) => entry.name).sort().join() + readFileSync(folder + '/link', 'utf8'))
`

export const joinedText = (n: number): string =>
  `0,1,2,3,4,5,6,7,8,9,large,none,nothing,program,same${`${n} 3`.repeat(1000)}`

/** A project with a remote. */
export class Sharing extends Place {
  constructor(context: Context, remote: string, env: Readonly<Record<string, string>> = {}) {
    super(context)
    this.write('pipeline.yaml', pipelineWith(remote))
    this.write('make.mjs', MAKE)
    this.write('join.mjs', JOIN)
    Object.assign(this.env, env)
  }

  /** Names of the stages that ran here so far. */
  ran(): string[] {
    return this.has('ran') ? this.read('ran').trim().split('\n') : []
  }

  /** `run`, which must succeed, with the codes of its notices. */
  async shared(...args: string[]): Promise<{ readonly last: Line; readonly notices: readonly Line[] }> {
    const { code, last, lines } = await this.lines(...args)
    if (code !== 0) throw new Error(JSON.stringify(lines))
    return { last, notices: lines.filter(({ type }) => type === 'notice') }
  }

  async ask(...args: string[]): Promise<Ended & { readonly json: Line }> {
    const ended = await this.run(...args, '--json')
    return { ...ended, json: JSON.parse(ended.out) as Line }
  }

  /** Whether all is as the stages make it. */
  isRight(n = 1): boolean {
    return (
      this.read('artifacts/join/text') === joinedText(n) &&
      readdirSync(join(this.root, 'artifacts/make/folder/deep/empty')).length === 0
    )
  }
}

export function makeShare(context: Context): string {
  const folder = mkdtempSync(join(tmpdir(), 'share-'))
  context.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}
