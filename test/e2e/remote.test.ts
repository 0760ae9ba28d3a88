import assert from 'node:assert/strict'
import {
  chmodSync,
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { outcomes } from './command.ts'
import { Sharing, makeShare } from './sharing.ts'

const RESTORED = ['make: restored', 'join: restored']

/** A project that has run, another that has not, and what they share. */
async function makePair(t: TestContext) {
  const share = makeShare(t)
  const [first, second] = [new Sharing(t, `file:${share}`), new Sharing(t, `file:${share}`)]
  assert.deepEqual((await first.shared()).notices, [])
  return { share, first, second }
}

/** Files below the share, by path. */
const filesOf = (share: string, under = ''): string[] =>
  readdirSync(join(share, under), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

test('what one project ran another restores without running, as its dry run says', async (t) => {
  const { share, second } = await makePair(t)
  const { json } = await second.ask('run', '--dry-run')
  const planned = json['stages'] as { state: string; reason: string }[]
  assert.deepEqual(
    planned.map(({ state }) => state),
    ['restore', 'restore'],
  )
  assert.equal(planned[0]!.reason, `it is in the remote file:${share}`)
  assert.match((await second.run('explain', 'join')).out, /it is in the remote file:/)
  assert.match((await second.run('set', 'n=1')).out, /restore +make, join/)
  assert.equal(second.has('artifacts'), false)
  const { last, notices } = await second.shared()
  assert.deepEqual([outcomes(last), notices, second.ran()], [RESTORED, [], []])
  assert.ok(second.isRight())
  assert.equal(statSync(join(second.root, 'artifacts/make/folder/program')).mode & 0o777, 0o555)
  assert.equal(statSync(join(second.root, 'artifacts/make/folder/same')).mode & 0o777, 0o444)
  assert.deepEqual(outcomes((await second.shared()).last), ['make: fresh', 'join: fresh'])
  assert.equal((await second.run('verify')).code, 0)
})

test('equal files go once, and neither logs nor what failed goes at all', async (t) => {
  const { share, first } = await makePair(t)
  // 0 to 9, large, same and program, none and nothing, text; then record and metrics
  assert.equal(filesOf(share, 'objects').length, 10 + 1 + 1 + 1 + 1 + 2)
  first.write('make.mjs', 'console.log("secret"); process.exit(1)')
  assert.equal((await first.run('run', '--set', 'n=2')).code, 1)
  assert.equal(
    filesOf(share).some((file) => readFileSync(file).includes('secret')),
    false,
  )
  assert.deepEqual(readdirSync(share).sort(), ['experiments', 'leases', 'objects', 'results'])
})

function writable(file: string): string {
  chmodSync(file, 0o644)
  return file
}

const flip = (file: string): void => {
  const bytes = readFileSync(file)
  bytes[bytes.length >> 1]! ^= 1
  writeFileSync(writable(file), bytes)
}
const large = (share: string): string => filesOf(share, 'objects').find((file) => statSync(file).size > 1e7)!
const entry = (share: string, stage: string): string => filesOf(share, `results/${stage}`)[0]!

const WRONGS: Readonly<Record<string, readonly [(share: string) => void, RegExp]>> = {
  'an object with one flipped bit': [
    (share) => flip(large(share)),
    /^"objects\/.*" in the remote "file:.*" holds content of digest \w{64}\. The result is not taken/,
  ],
  'an object cut short': [
    (share) => truncateSync(writable(large(share)), 1e6),
    /^"objects\/.*" in the remote .* holds 1000000 bytes, not 17825792\./,
  ],
  'an object too long': [
    (share) => writeFileSync(writable(large(share)), 'x', { flag: 'a' }),
    /^"objects\/.*" in the remote .* holds more than 17825792 bytes\./,
  ],
  'an object that is gone': [(share) => rmSync(large(share)), /^"objects\/.*" in the remote .* is missing\./],
  'a flipped bit in what says that it is there': [
    (share) => flip(entry(share, 'make')),
    /^"results\/make\/.*" in the remote .* is not whole, or of another key\./,
  ],
  'an entry cut short': [
    (share) => truncateSync(writable(entry(share, 'make')), 300),
    /^"results\/make\/.*" in the remote .* is not whole/,
  ],
  'the entry of another key': [
    (share) => cpSync(entry(share, 'join'), entry(share, 'make')),
    /^"results\/make\/.*" in the remote .* of another key/,
  ],
  'an entry that lacks an empty folder': [
    (share) => edit(share, (text) => text.replace('"folder/deep/empty"', '"folder/deep/other"')),
    /does not describe its output "folder" as it was made\./,
  ],
  'an entry that leads out of the result': [
    (share) => edit(share, (text) => text.replace('"folder/deep/empty"', '"folder/../../../out"')),
    /is not whole, or of another key/,
  ],
  'an entry with two at one path': [
    (share) =>
      edit(share, (text) => text.replace('"links":[', '"links":[{"path":"folder/none","target":"folder/same"},')),
    /is not whole, or of another key/,
  ],
  'an entry with a file in a link': [
    (share) => edit(share, (text) => text.replace('"folder/link"', '"folder/deep"')),
    /is not whole, or of another key/,
  ],
  'an entry with a link that leads nowhere': [
    (share) => edit(share, (text) => text.replace('"target":"folder/deep/3"', '"target":"folder/deep/33"')),
    /^"results\/make\/.*" in the remote .* is wrong: /,
  ],
}

function edit(share: string, change: (text: string) => string): void {
  const file = entry(share, 'make')
  const text = readFileSync(file, 'utf8')
  assert.notEqual(change(text), text)
  writeFileSync(file, change(text))
}

for (const [what, [damage, said]] of Object.entries(WRONGS)) {
  test(`${what} is refused and named; the stage runs, and heals the remote`, async (t) => {
    const { share, second } = await makePair(t)
    damage(share)
    const { last, notices } = await second.shared()
    assert.deepEqual(
      notices.map(({ code }) => code),
      ['REMOTE_DAMAGED'],
    )
    assert.match(String(notices[0]!['message']), said)
    assert.equal(second.ran()[0], 'make')
    assert.equal(outcomes(last)[0], 'make: ran')
    assert.ok(second.isRight())
    const third = new Sharing(t, `file:${share}`)
    assert.deepEqual(outcomes((await third.shared()).last), RESTORED)
    assert.ok(third.isRight())
  })
}

test('push and pull carry an experiment, which is then shown and reproduced elsewhere', async (t) => {
  const share = makeShare(t)
  const first = new Sharing(t, `file:${join(share, 'elsewhere')}`)
  const { last } = await first.shared()
  const hash = String(last['experiment'])
  first.write('pipeline.yaml', first.read('pipeline.yaml').replace('/elsewhere', '/here'))
  assert.equal((await first.run('push', '0000')).code, 2)
  const pushed = await first.ask('push', hash.slice(0, 10))
  assert.deepEqual([pushed.code, pushed.json['experiments']], [0, [hash]])
  const second = new Sharing(t, `file:${join(share, 'here')}`)
  const pulled = await second.ask('pull', hash.slice(0, 10))
  const results = (pulled.json['stages'] as { result: string }[]).map(({ result }) => result)
  assert.deepEqual([pulled.code, pulled.json['experiments'], results], [0, [hash], ['pulled', 'pulled']])
  assert.equal((await second.run('show', hash)).code, 0)
  assert.deepEqual(outcomes((await second.shared()).last), RESTORED)
  assert.deepEqual(second.ran(), [])
  const reproduced = await second.run('reproduce', hash)
  assert.deepEqual([reproduced.code, second.ran()], [0, ['make', 'join']], reproduced.errors)
  const unknown = await second.run('pull', 'abc')
  assert.equal(unknown.code, 2)
  assert.match(unknown.errors, /has no experiment whose hash begins with "abc".*\[EXPERIMENT_UNKNOWN\]/)
})

test('pull without a hash fetches what the pipeline says now; push says what was there', async (t) => {
  const { share, first, second } = await makePair(t)
  assert.match(
    (await first.run('push')).out,
    /^there {4}make\nthere {4}join\n2 results, and the record of \w{16}: file:/,
  )
  assert.match(
    (await second.run('pull')).out,
    /^pulled {3}make {2}17\.9 MB\npulled {3}join {2}.*\n2 results, and the record of/,
  )
  rmSync(share, { recursive: true })
  assert.deepEqual(outcomes((await second.shared()).last), RESTORED)
  assert.match((await second.run('push')).out, /^pushed {3}make/)
  const { code, out } = await second.run('pull', '--set', 'n=5')
  assert.deepEqual([code, out.split('\n').slice(0, 2)], [0, ['absent   make', 'absent   join']])
})

test('verify heals from the remote; what the remote has not, or has damaged, is named', async (t) => {
  const { share, first } = await makePair(t)
  const file = () => join(first.root, 'artifacts/store/make', first.results('make')[0]!, 'folder/large')
  flip(file())
  const healed = await first.ask('verify')
  assert.equal(healed.code, 0)
  assert.deepEqual(
    (healed.json['damaged'] as { healed: boolean }[]).map((one) => one.healed),
    [true],
  )
  assert.deepEqual(outcomes((await first.shared()).last), ['make: fresh', 'join: fresh'])
  flip(file())
  flip(large(share))
  const refused = await first.ask('verify')
  assert.equal(refused.code, 1)
  assert.match(refused.errors, /holds content of digest.*\[REMOTE_DAMAGED\]/)
  assert.deepEqual(
    (refused.json['damaged'] as { healed: boolean }[]).map((one) => one.healed),
    [false],
  )
})

test('a stage stays here while what it read is in the remote alone: run, verify and reproduce work', async (t) => {
  const { first } = await makePair(t)
  const { last } = await first.shared()
  const gone = (): void => rmSync(join(first.root, 'artifacts/store/make'), { recursive: true })
  gone()
  rmSync(join(first.root, 'ran'))
  const again = await first.shared('join')
  assert.deepEqual([outcomes(again.last), again.notices], [['make: restored', 'join: fresh'], []])
  assert.ok(first.isRight())
  gone()
  flip(join(first.root, 'artifacts/store/join', first.results('join')[0]!, 'text'))
  const healed = await first.ask('verify')
  const damaged = healed.json['damaged'] as { stage: string; healed: boolean }[]
  assert.deepEqual([healed.code, damaged.map((one) => [one.stage, one.healed])], [0, [['join', true]]])
  assert.deepEqual(first.ran(), [])
  const reproduced = await first.run('reproduce', String(last['experiment']))
  assert.deepEqual([reproduced.code, first.ran()], [0, ['make', 'join']], reproduced.errors)
  assert.match(reproduced.out, /identical {2}make, join\n/)
  assert.deepEqual(outcomes((await first.shared()).last), ['make: restored', 'join: fresh'])
  assert.ok(first.isRight())
})

test('a remote that cannot be used costs bounded time and one warning, and fails no run', async (t) => {
  // nothing listens on port 1
  const env = {
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    AWS_ACCESS_KEY_ID: 'a',
    AWS_SECRET_ACCESS_KEY: 'b',
    AWS_REGION: 'x',
  }
  for (const place of [new Sharing(t, 's3://bucket/a', env), new Sharing(t, 'file:make.mjs')]) {
    const started = performance.now()
    const { last, notices } = await place.shared()
    assert.deepEqual([outcomes(last), notices.map(({ code }) => code)], [['make: ran', 'join: ran'], ['REMOTE_FAILED']])
    assert.ok(place.isRight())
    const dry = await place.run('run', '--dry-run', '--set', 'n=2')
    assert.equal(dry.errors.match(/REMOTE_FAILED/g)?.length, 1, dry.errors)
    assert.ok(performance.now() - started < 30_000)
    const { code, errors } = await place.run('push')
    assert.equal(code, 1)
    assert.match(errors, /^error: The remote "(s3|file):.*\[REMOTE_FAILED\]\n$/)
  }
})

test('two projects run at once on one remote, and what it has then is whole', async (t) => {
  const share = makeShare(t)
  const places = Array.from({ length: 4 }, () => new Sharing(t, `file:${share}`))
  await Promise.all(places.map((place) => place.shared()))
  assert.ok(places.every((place) => place.isRight()))
  const late = new Sharing(t, `file:${share}`)
  const { last, notices } = await late.shared()
  assert.deepEqual([outcomes(last), notices, late.isRight()], [RESTORED, [], true])
  assert.equal(
    filesOf(share).some((file) => file.endsWith('.tmp')),
    false,
  )
})

test('a remote is refused where it is written; a pipeline without one has nothing to push to', async (t) => {
  const place = new Sharing(t, 'gs://bucket')
  const { code, errors } = await place.run('run')
  assert.equal(code, 2)
  assert.match(errors, /pipeline\.yaml:2:9: "gs:\/\/bucket" is no address of a remote store\. Write file:PATH or s3:/)
  place.write('pipeline.yaml', place.read('pipeline.yaml').replace(/remote: .*\n/, ''))
  for (const command of ['push', 'pull']) assert.match((await place.run(command)).errors, /\[REMOTE_MISSING\]/)
  assert.equal(existsSync(join(place.root, 'artifacts')), false)
})
