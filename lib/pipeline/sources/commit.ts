import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, symlinkSync, unlinkSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { git } from '../surroundings.ts'
import { isInside } from './listing.ts'

/** A commit of the repository in which a pipeline lies. */
export class Commit {
  readonly id: string
  readonly #root: string

  private constructor(root: string, id: string) {
    this.#root = root
    this.id = id
  }

  /** Undefined where a record names none, or one that git does not have here. */
  static async find(root: string, id: string | null): Promise<Commit | undefined> {
    if (id === null || !/^[0-9a-f]{40,64}$/.test(id)) return undefined
    try {
      await git(root, ['cat-file', '-e', `${id}^{commit}`])
      return new Commit(root, id)
    } catch {
      return undefined
    }
  }

  /** Writes a file as a checkout of the commit would have it at a path; false where the commit has none there. */
  async file(path: string, to: string, mode: number): Promise<boolean> {
    const name = relative(this.#root, path).split(sep).join('/')
    const fd = openSync(to, 'wx', mode)
    try {
      // git takes a path that begins with a point as one from here
      const args = ['-C', this.#root, 'cat-file', '--filters', `${this.id}:./${name}`]
      return await new Promise((resolve) => {
        const child = spawn('git', args, { stdio: ['ignore', fd, 'ignore'] })
        child.on('error', () => resolve(false))
        child.on('close', (code) => resolve(code === 0))
      })
    } finally {
      closeSync(fd)
    }
  }

  /** Writes all that the commit has at and below a path; false where that is nothing. */
  async tree(path: string, to: string): Promise<boolean> {
    const name = relative(this.#root, path).split(sep).join('/')
    const args = ['--literal-pathspecs', 'ls-tree', '-r', '-z', this.id, '--', name || '.']
    // a path out of the repository is an error to git
    const listed = await git(this.#root, args).catch(() => '')
    const entries = listed.split('\0').flatMap((line) => {
      const [, mode, found] = /^(\d+) blob [0-9a-f]+\t(.*)$/s.exec(line) ?? []
      return mode === undefined || found === undefined ? [] : { mode, below: found.slice(name.length + 1), found }
    })
    // a checkout refuses such names, too
    if (!entries.every(({ below }) => below === '' || isInside(below))) return false
    const links: { readonly at: string; readonly text: string }[] = []
    for (const { mode, below, found } of entries) {
      const at = below === '' ? to : join(to, below)
      mkdirSync(dirname(at), { recursive: true })
      if (!(await this.file(join(this.#root, found), at, mode === '100755' ? 0o755 : 0o644))) return false
      if (mode === '120000') links.push({ at, text: readFileSync(at, 'utf8') })
    }
    // the last, so that nothing is written through one
    for (const { at, text } of links) {
      unlinkSync(at)
      symlinkSync(text, at)
    }
    return entries.length > 0
  }
}
