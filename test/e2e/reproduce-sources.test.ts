import assert from 'node:assert/strict'
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { Place } from './command.ts'
import { makeShare } from './sharing.ts'
import { PIPELINE, Sources, TELL, reproduce } from './sources.ts'

const IDENTICAL = ['identical', 'identical']

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at < 0 ? bytes.length + at : at]! ^= 1
  writeFileSync(file, bytes)
}

const EDITS: Readonly<Record<string, (place: Sources) => void>> = {
  'is edited': (place) => place.write('text.txt', 'hullo\n'),
  'is removed': (place) => rmSync(place.path('text.txt')),
  'is a folder now': (place) => {
    rmSync(place.path('text.txt'))
    place.write('text.txt/file', '')
  },
  'of many files is edited': (place) => {
    place.write('data/deep/file', 'Content')
    place.write('data/new', '')
    rmSync(place.path('data/empty'), { recursive: true })
    renameSync(place.path('data/odd/a b'), place.path('data/odd/b a'))
    chmodSync(place.path('data/odd/-dash'), 0o755)
    place.write('elsewhere/file', 'is edited too')
    rmSync(place.path('data/broken'))
  },
  'of many files is removed': (place) => rmSync(place.path('data'), { recursive: true }),
  'is the program itself, edited and named in the arguments': (place) =>
    place.write('tools/tell.mjs', TELL.replace('lines.join', '"other" + lines.join')),
  'and all others are removed': (place) => {
    for (const name of ['text.txt', 'data', 'tools', 'elsewhere']) rmSync(place.path(name), { recursive: true })
  },
}

for (const [what, edit] of Object.entries(EDITS)) {
  test(`a source that ${what} is read as it was, and the working tree is left alone`, async (t) => {
    const place = new Sources(t)
    const hash = await place.make()
    edit(place)
    const before = place.state()
    const { code, results, failures, notices } = await reproduce(place, hash)
    assert.deepEqual([code, results, failures], [0, IDENTICAL, []])
    assert.match(notices.join('\n'), /^The source ".*" is another one here; the experiment's own is read\.$/m)
    assert.deepEqual(place.state(), before)
  })
}

test('a source that is edited while its stage runs, after it was read, was kept before', async (t) => {
  const place = new Sources(t)
  place.write('hold', '')
  place.write('pipeline.yaml', PIPELINE.replace('data: ./data, ', 'first: copy.text, data: ./data, '))
  const { ended } = place.start(['run', '--json'])
  await place.until('held')
  place.write('data/deep/file', 'edited before anybody read it')
  const copies = place.copies().length
  rmSync(place.path('hold'))
  assert.deepEqual([(await ended).code, copies], [1, 3], 'a stage refuses what it finds edited')
  // the next run has the copies of both
  const hash = await place.make()
  rmSync(place.path('data'), { recursive: true })
  assert.deepEqual((await reproduce(place, hash)).results, IDENTICAL)
  assert.equal(place.copies().length, 4)
})

test('sources outside the folder, and by absolute paths, are read as they were', async (t) => {
  const [place, other] = [new Sources(t), new Place(t)]
  other.write('far.txt', 'far')
  place.write('near/text.txt', 'near')
  const absolute = join(other.root, 'far.txt')
  const inputs = `text: ./text.txt, far: '${absolute}', near: '${place.path('near/text.txt')}', up: ../${other.root.split('/').at(-1)!}/far.txt`
  place.write(
    'pipeline.yaml',
    PIPELINE.replace('text: ./text.txt', inputs)
      .replace('cat "$1"', 'cat "$1" "$3" "$4" "$5"')
      .replace("'${out.text}']", "'${out.text}', '${in.far}', '${in.near}', '${in.up}']"),
  )
  const hash = await place.make()
  assert.equal(place.read('artifacts/copy/text'), 'hello\nfarnearfarhello\n')
  place.write('near/text.txt', 'otherwise')
  assert.deepEqual((await reproduce(place, hash)).results, IDENTICAL)
  rmSync(absolute)
  assert.deepEqual((await reproduce(place, hash)).results, IDENTICAL)
})

const LARGE = 65 * 1024 * 1024

test('of a source of more than 64 MiB the largest files are taken from the working tree, else from git', async (t) => {
  const place = new Sources(t)
  place.write('data/large', '')
  truncateSync(place.path('data/large'), LARGE)
  symlinkSync('large', place.path('data/newest'))
  place.commit()
  const hash = await place.make()
  assert.ok(lstatSync(place.copyOf(hash, './data')).size < 10_000)
  place.write('data/deep/file', 'edited')
  assert.deepEqual((await reproduce(place, hash)).results, IDENTICAL)
  appendFileSync(place.path('data/large'), 'x')
  assert.deepEqual((await reproduce(place, hash)).results, IDENTICAL)
  rmSync(place.path('.git'), { recursive: true })
  const { code, failures } = await reproduce(place, hash)
  assert.deepEqual([code, failures.map(({ code }) => code)], [2, ['SOURCE_CHANGED']])
  assert.match(
    failures[0]!.message,
    /"\.\/data" is not .*; what was kept of it lacks "large" \(68157440 bytes\), and no commit is known here that has it\./,
  )
  assert.deepEqual(
    readdirSync(place.path('artifacts')).filter((name) => name.startsWith('.')),
    [],
  )
})

test('where nothing was kept, git has a source or it is refused by name', async (t) => {
  const place = new Sources(t)
  // git has no empty folder, and no link that is followed
  for (const name of ['data/empty', 'data/followed']) rmSync(place.path(name), { recursive: true })
  place.commit()
  const hash = await place.make()
  EDITS['and all others are removed']!(place)
  const forget = (): void => rmSync(place.path('artifacts/experiments/.sources'), { recursive: true })
  forget()
  assert.deepEqual((await reproduce(place, hash)).results, IDENTICAL)
  assert.equal(place.copies().length, 3, 'they are kept from now on')
  forget()
  place.write('text.txt', 'committed anew')
  place.git('commit', '-am', 'others')
  assert.deepEqual((await reproduce(place, hash)).results, IDENTICAL, 'the commit is the recorded one')
  forget()
  rmSync(place.path('.git'), { recursive: true })
  const { code, failures } = await reproduce(place, hash)
  assert.deepEqual([code, failures.map(({ code }) => code)], [2, Array(3).fill('SOURCE_CHANGED')])
  assert.match(failures.map(({ message }) => message).join(), /"\.\/text\.txt".* no copy of it was kept, and no commit/)
})

for (const [part, at] of [
  ['list', 60],
  ['content', -1],
] as const) {
  test(`a copy whose ${part} is damaged is refused, and mended where the source is found`, async (t) => {
    const place = new Sources(t)
    place.commit()
    const hash = await place.make()
    const copy = place.copyOf(hash, './text.txt')
    const whole = readFileSync(copy)
    flip(copy, at)
    place.write('text.txt', 'edited')
    assert.deepEqual((await reproduce(place, hash)).results, IDENTICAL)
    assert.deepEqual(readFileSync(copy), whole, 'mended from git')
    flip(copy, at)
    rmSync(place.path('.git'), { recursive: true })
    const { code, failures } = await reproduce(place, hash)
    assert.deepEqual([code, failures.map(({ code }) => code)], [2, ['SOURCE_CHANGED']])
    assert.match(failures[0]!.message, part === 'list' ? /the copy of it, ".*", is damaged/ : /lacks "" \(6 bytes\)/)
    const verified = await place.run('verify')
    assert.match(verified.out, /moved to artifacts\/store\/\.aside\/source-.*; what it was a copy of was not found/)
    assert.equal(verified.code, 1)
    assert.match((await place.run('verify')).out, /2 copies of sources, .*: all whole/)
    place.write('text.txt', 'hello\n')
    await place.lines()
    assert.deepEqual(readFileSync(copy), whole, 'kept anew by a run')
    flip(copy, at)
    assert.match((await place.run('verify')).out, /; kept anew\n.*1 damaged, 1 of them healed/)
    assert.deepEqual(readFileSync(copy), whole)
  })
}

test('equal sources are kept once; gc takes those of no experiment, with --age those of others, du counts them', async (t) => {
  const place = new Sources(t)
  const first = await place.make()
  const own = place.copyOf(first, './text.txt')
  place.write('text.txt', 'edited\n')
  const second = await place.make()
  assert.equal(place.copies().length, 4)
  const du = JSON.parse((await place.run('du', '--json')).out) as { sourcesBytes: number }
  assert.equal(
    du.sourcesBytes,
    place.copies().reduce((sum, file) => sum + lstatSync(file).size, 0),
  )
  assert.match((await place.run('du')).out, /\nsources +[\d.]+ k?B +artifacts\/experiments\/\.sources: /)
  const days = (count: number): void => {
    for (const file of place.copies()) utimesSync(file, 0, Date.now() / 1000 - count * 86_400)
  }
  days(9)
  assert.doesNotMatch((await place.run('gc')).out, /\.sources/)
  rmSync(place.path('artifacts/experiments', first), { recursive: true })
  const planned = (await place.run('gc', '--dry-run')).out
  assert.match(planned, /artifacts\/experiments\/\.sources\/[0-9a-f]{64} /)
  assert.equal((await place.run('gc')).out, planned.replace('would be freed', 'freed'))
  assert.deepEqual([existsSync(own), place.copies().length], [false, 3])
  await place.run('tag', second, 'best')
  await place.run('gc', '--age', '8')
  assert.equal(place.copies().length, 3)
  await place.run('tag', '--delete', 'best')
  await place.run('gc', '--age', '10')
  assert.equal(place.copies().length, 3)
  await place.run('gc', '--age', '8')
  assert.deepEqual(place.copies(), [])
})

test('a pin gives them to git, a push to the remote', async (t) => {
  const place = new Sources(t)
  const remote = `remote: file:${makeShare(t)}`
  place.write('pipeline.yaml', PIPELINE.replace('version: 1', `version: 1\n${remote}`))
  const hash = await place.make()
  assert.equal((await place.run('pin', hash)).code, 0)
  assert.equal((await place.run('push', hash)).code, 0)
  for (const carried of ['pin', 'remote'] as const) {
    const clone = new Place(t)
    clone.write('pipeline.yaml', `version: 1\n${remote}\nstages: { none: { cmd: [sh, -c, ':'], out: [] } }\n`)
    clone.write('beside.txt', 'beside')
    if (carried === 'pin') cpSync(place.path('experiments'), join(clone.root, 'experiments'), { recursive: true })
    else assert.equal((await clone.run('pull', hash)).code, 0)
    const { code, results, failures } = await reproduce(clone, hash)
    assert.deepEqual([code, results, failures], [0, IDENTICAL, []])
  }
})

test('verify fetches a damaged copy from the remote; one that arrives and is no copy of its source replaces none', async (t) => {
  const place = new Sources(t)
  const share = makeShare(t)
  place.write('pipeline.yaml', PIPELINE.replace('version: 1', `version: 1\nremote: file:${share}`))
  const hash = await place.make()
  assert.equal((await place.run('push', hash)).code, 0)
  const copy = place.copyOf(hash, './text.txt')
  const whole = readFileSync(copy)
  flip(copy, -1)
  place.write('text.txt', 'edited')
  assert.match((await place.run('verify')).out, /; kept anew\n.*1 damaged, 1 of them healed/)
  assert.deepEqual(readFileSync(copy), whole)
  const file = join(share, 'experiments', `${hash}.json`)
  const entry = JSON.parse(readFileSync(file, 'utf8')) as { files: { path: string; size: number; sha256: string }[] }
  const record = entry.files.find(({ path }) => path === 'record.json')!
  const files = entry.files.map((one) => (one.path.endsWith(basename(copy)) ? { ...record, path: one.path } : one))
  chmodSync(file, 0o644)
  writeFileSync(file, JSON.stringify({ ...entry, files }))
  assert.equal((await place.run('pull', hash)).code, 0)
  assert.deepEqual(readFileSync(copy), whole)
  rmSync(copy)
  const { code, errors } = await place.run('pull', hash)
  assert.equal(code, 1)
  assert.match(errors, /"\.sources\/[0-9a-f]{64}" in the remote .* is no copy of what its name says\./)
  assert.equal(existsSync(copy), false)
})

test('a copy that would write out of its folder is refused', async (t) => {
  const place = new Sources(t)
  const hash = await place.make()
  const record = `artifacts/experiments/${hash}/record.json`
  const { createHash } = await import('node:crypto')
  const sha = (text: string): string => createHash('sha256').update(text).digest('hex')
  const out = `${place.root}-out`
  t.after(() => rmSync(out, { force: true }))
  const name = `../../../../${'../'.repeat(20)}${out.slice(1)}`
  const listing = `d 0:\nf ${name.length}:${name} 3 ${sha('bad')}\n`
  const json = JSON.parse(place.read(record)) as { sources: Record<string, string>; seal: unknown; beside: unknown }
  json.sources['./text.txt'] = sha(listing)
  place.write(record, JSON.stringify({ ...json, seal: undefined, beside: undefined }))
  writeFileSync(
    place.copyOf(hash, './text.txt'),
    `${JSON.stringify({ version: 1, listing: Buffer.byteLength(listing), upTo: 3 })}\n${listing}bad`,
  )
  const { code, failures } = await reproduce(place, hash)
  assert.deepEqual([code, failures.map(({ code }) => code), existsSync(out)], [2, ['SOURCE_CHANGED'], false])
  assert.equal(readlinkSync(place.path('data/broken')), 'nowhere')
})
