import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sha256 } from '../../lib/pipeline/canonical.ts'
import { Commit } from '../../lib/pipeline/sources/commit.ts'
import { laySource } from '../../lib/pipeline/sources/lay.ts'
import { parseListing } from '../../lib/pipeline/sources/listing.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'

const counted = (text: string): string => `${text.length}:${text}`
const folder = (path: string): string => `d ${counted(path)}\n`
const file = (path: string): string => `f ${counted(path)} 3 ${sha256('bad')}\n`
const link = (path: string, target: string): string => `l ${counted(path)} ${counted(target)}\n`

/** `OUT` stands for a folder beside the one that is laid. */
const EVIL: Readonly<Record<string, readonly string[]>> = {
  'a name that goes up': [folder(''), file('../out/bad')],
  'a folder that goes up': [folder(''), folder('../out'), folder('../out/bad')],
  'folders that go up one by one': [folder(''), folder('..'), folder('../out'), file('../out/bad')],
  'a name that goes up behind a folder': [folder(''), folder('a'), file('a/../../out/bad')],
  'a name from the root on': [folder(''), file('OUT/bad')],
  'a single file with a name from the root on': [file('OUT/bad')],
  'a link, and a file below it': [folder(''), link('a', '?OUT'), file('a/bad')],
  'a link, and a link below it': [folder(''), link('a', '?../out'), link('a/bad', '?x')],
  'a link, and a folder of its name': [folder(''), link('a', '?../out'), folder('a'), file('a/bad')],
  'a folder, a link of its name, and a link below': [
    folder(''),
    folder('a'),
    link('a', '?../out'),
    link('a/bad', '?x'),
  ],
  'a link that goes up': [folder(''), link('a', '../out')],
  'a link that leads to no entry': [folder(''), link('a', 'OUT')],
  'a file twice': [folder(''), file('a'), file('a')],
  'a file in a file': [folder(''), file('a'), file('a/bad')],
  'a file in no folder': [folder(''), file('a/bad')],
  'a file beside the folder that is laid': [file(''), file('bad')],
  'an empty name': [folder(''), folder('a'), file('a//bad')],
  'a name with a zero byte': [folder(''), file('a\0bad')],
  'a length beyond the end': [folder(''), `f 9999:bad 3 ${sha256('bad')}\n`],
  'a length that is none': [folder(''), `f -3:bad 3 ${sha256('bad')}\n`],
  'a last line that does not end': [folder(''), 'd'],
  'a size that is none': [folder(''), `f ${counted('bad')} x ${sha256('bad')}\n`],
}

for (const [what, lines] of Object.entries(EVIL)) {
  test(`a copy whose list has ${what} is none, and nothing is written`, async (t) => {
    const root = mkdtempSync(join(tmpdir(), 'sources-'))
    t.after(() => rmSync(root, { recursive: true }))
    const out = join(root, 'out')
    mkdirSync(out)
    const text = lines.map((line) => line.replace(/(\d+):(.?)OUT/g, withPath(out))).join('')
    const digest = sha256(text)
    const copy = join(root, 'copy')
    const header = { version: 1, listing: Buffer.byteLength(text), upTo: 3 }
    writeFileSync(copy, `${JSON.stringify(header)}\n${text}${'bad'.repeat(3)}`)
    const wanted = { digest, here: join(root, 'none'), copies: [copy], commit: undefined } as const
    const why = await laySource(wanted, join(root, 'laid', 'tree'), new StatCache(join(root, 'cache')))
    assert.match(why ?? '', /the copy of it, ".*", is damaged/)
    assert.deepEqual([readdirSync(out), existsSync(join(root, 'laid', 'tree'))], [[], false])
  })
}

test('a commit with a name that goes up has no such source, and nothing is written', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'sources-'))
  t.after(() => rmSync(root, { recursive: true }))
  const own = ['-c', 'user.name=a', '-c', 'user.email=a@b', '-C', root]
  const git = (input: string, ...args: string[]): string =>
    execFileSync('git', [...own, ...args], { input, encoding: 'utf8' }).trim()
  git('', 'init', '--quiet')
  const bad = git('bad', 'hash-object', '-w', '--stdin')
  const names = git(`100644 blob ${bad}\tbad\n`, 'mktree')
  const up = git(`040000 tree ${names}\t..\n`, 'mktree')
  const all = git(`040000 tree ${up}\tdata\n100644 blob ${bad}\tbad\n`, 'mktree')
  const commit = await Commit.find(root, git('', 'commit-tree', '-m', 'all', all))
  const wanted = { digest: sha256('other'), here: join(root, 'data'), copies: [join(root, 'none')], commit } as const
  const why = await laySource(wanted, join(root, 'laid', 'data'), new StatCache(join(root, 'cache')))
  assert.match(why ?? '', /no copy of it was kept, and the commit .* has another/)
  assert.deepEqual(readdirSync(join(root, 'laid')), [])
})

/** The length counts the path, too. */
const withPath =
  (path: string) =>
  (_: string, length: string, mark: string): string =>
    `${Number(length) + path.length - 'OUT'.length}:${mark}${path}`

test('a list is read as it was written, whatever the names', () => {
  const names = ['a b', 'd 0:', 'line\nbreak', '日本 🙂', '?x', '-']
  const text = [folder(''), ...names.map(file), folder('e'), file('e/..x'), link('l', 'e'), link('m', '?../out')].join(
    '',
  )
  const entries = parseListing(text)!
  assert.deepEqual(
    entries.map(({ path }) => path),
    ['', ...names, 'e', 'e/..x', 'l', 'm'],
  )
  assert.deepEqual(entries.at(-1), { kind: 'link', path: 'm', target: '?../out' })
  assert.deepEqual(parseListing(file(''))!.length, 1)
})
