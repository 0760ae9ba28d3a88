import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Place } from './command.ts'
import type { Context, Line } from './command.ts'

/** What a stage sees of a folder: names, links, execute bits, contents; a link that leads out of it is what it leads to. */
export const TELL = `import { lstatSync, readFileSync, readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
const [folder, out] = process.argv.slice(2)
const lines = readdirSync(folder, { recursive: true }).sort().map((name) => {
  const path = folder + '/' + name
  const isLink = lstatSync(path).isSymbolicLink()
  if (isLink && name !== 'followed' && name !== 'large') return JSON.stringify([name, readlinkSync(path)])
  const stat = statSync(path)
  if (stat.isDirectory()) return JSON.stringify([name, 'folder'])
  return JSON.stringify([name, (stat.mode & 0o111) > 0, stat.size > 1e6 ? stat.size : readFileSync(path, 'utf8')])
})
writeFileSync(out, lines.join('\\n') + readFileSync('beside.txt', 'utf8'))
`

/** A file by its path and by its name in the arguments, a folder, and a program that is an input itself. */
export const PIPELINE = `version: 1
stages:
  copy:
    cmd: [sh, -c, 'cat "$1" text.txt > "$2"; while [ -e hold ]; do echo > held; sleep 0.05; done', sh, '\${in.text}', '\${out.text}']
    in: { text: ./text.txt }
    out: [text]
  tell:
    cmd: [node, tools/tell.mjs, '\${in.data}', '\${out.text}']
    in: { data: ./data, program: ./tools/tell.mjs }
    out: [text]
`

const ODD = ['a b', 'ümlaut 日本', 'quote\'"', 'line\nbreak', 'back\\slash', '?x', '-dash']

/** The real command in a folder with sources of all kinds. */
export class Sources extends Place {
  constructor(context: Context) {
    super(context)
    this.write('pipeline.yaml', PIPELINE)
    this.write('text.txt', 'hello\n')
    this.write('beside.txt', 'beside')
    this.write('tools/tell.mjs', TELL)
    this.write('data/deep/file', 'content')
    for (const name of ODD) this.write(`data/odd/${name}`, `content of ${name}`)
    mkdirSync(this.path('data/empty'))
    chmodSync(this.path('data/deep/file'), 0o755)
    symlinkSync('../odd', this.path('data/deep/inside'))
    symlinkSync('?x', this.path('data/odd/to-question'))
    symlinkSync('nowhere', this.path('data/broken'))
    this.write('elsewhere/file', 'from elsewhere')
    symlinkSync('../elsewhere', this.path('data/followed'))
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts)
  }

  async make(): Promise<string> {
    const { code, last, lines } = await this.lines()
    if (code !== 0 || lines.some(({ type }) => type === 'notice')) throw new Error(JSON.stringify(lines))
    return String(last['experiment'])
  }

  /** Every name below the folder with its state, but for what a command may write: the copies and the cache. */
  state(): string[] {
    const names = readdirSync(this.root, { recursive: true, encoding: 'utf8' })
    return names
      .filter((name) => !/^(node_modules|artifacts\/experiments\/\.sources)/.test(name))
      .sort()
      .map((name) => {
        const { ino, size, mode, mtimeMs } = lstatSync(this.path(name))
        return JSON.stringify([name, ino, mode, name === 'artifacts' || name === '' ? 0 : [size, mtimeMs]])
      })
  }

  copies(): string[] {
    const pool = this.path('artifacts/experiments/.sources')
    return existsSync(pool) ? readdirSync(pool).map((name) => join(pool, name)) : []
  }

  /** Where the copy of a source is. */
  copyOf(hash: string, source: string): string {
    const record = JSON.parse(this.read(`artifacts/experiments/${hash}/record.json`)) as {
      sources: Record<string, string>
    }
    return this.path('artifacts/experiments/.sources', record.sources[source]!)
  }

  git(...args: string[]): void {
    const own = ['-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'init.defaultBranch=main']
    execFileSync('git', ['-C', this.root, ...own, ...args], { stdio: 'ignore' })
  }

  commit(): void {
    this.write('.gitignore', 'artifacts\nnode_modules\nheld\n')
    this.git('init')
    this.git('add', '.')
    this.git('commit', '-m', 'all')
  }
}

/** What `reproduce HASH --json` says. */
export async function reproduce(place: Place, hash: string) {
  const { code, out } = await place.run('reproduce', hash, '--json')
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  const stages = lines.at(-1)!['stages'] as { name: string; result: string }[]
  const failures = lines.flatMap((line) =>
    line.type === 'failure' ? [line['failure'] as { code: string; message: string }] : [],
  )
  const notices = lines.flatMap((line) => (line.type === 'notice' ? [String(line['message'])] : []))
  return { code, results: stages.map(({ result }) => result), failures, notices }
}
