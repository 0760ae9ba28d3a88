import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TestContext } from 'node:test'
import { outcomes } from './command.ts'
import { Sharing, makeShare } from './sharing.ts'

const RESTORED = ['make: restored', 'join: restored']
const POISON = 'import { writeFileSync } from "node:fs"\nwriteFileSync(process.argv[3], "poisoned")\n'

const KEYS = mkdtempSync(join(tmpdir(), 'keys-'))
after(() => rmSync(KEYS, { recursive: true }))

/** A project that can sign, and trust. */
class Signing extends Sharing {
  /** Signs from now on with the key of this name, and gives its public key. */
  async sign(name = 'ours'): Promise<string> {
    const file = join(KEYS, name)
    const made = await this.run('keygen', file)
    this.env['PIPELINE_SIGNING_KEY'] = file
    // one that is there already is named by its public key
    return /ed25519:[\w-]{43}/.exec(made.out + made.errors)![0]
  }

  unsign(): void {
    delete this.env['PIPELINE_SIGNING_KEY']
  }

  trust(...keys: readonly string[]): void {
    const text = this.read('pipeline.yaml').replace(/^trust: .*\n/m, '')
    const list = keys.map((key) => `'${key}'`).join(', ')
    this.write(
      'pipeline.yaml',
      text.replace(/^remote: .*\n/m, (line) => `${line}trust: [${list}]\n`),
    )
  }
}

/** What a project that signs has pushed, made once. */
const signed = { share: makeShare({ after }), key: '', hash: '' }
const signing = new Signing({ after }, `file:${signed.share}`)
before(async () => {
  signed.key = await signing.sign()
  const { last, notices } = await signing.shared()
  assert.deepEqual(notices, [])
  signed.hash = String(last['experiment'])
})

/** A share of its own with that in it, and a project that trusts only the key that signed it. */
function makePlace(t: TestContext) {
  const share = makeShare(t)
  cpSync(signed.share, share, { recursive: true })
  const place = new Signing(t, `file:${share}`)
  place.trust(signed.key)
  return { share, place, key: signed.key, hash: signed.hash }
}

/** Files that are under `folder` of the share, with these ends. */
const filesIn = (share: string, folder: string, end: RegExp): string[] =>
  readdirSync(join(share, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => end.test(name))
    .map((name) => join(share, folder, name))
const entryOf = (share: string, stage: string): string => filesIn(share, `results/${stage}`, /\.json$/)[0]!
const signatureOf = (share: string, stage: string): string =>
  filesIn(share, `results/${stage}`, /\.sig.*\.[\w-]{43}$/)[0]!

/** Somebody who may write to the share, and whose stage makes something else under the same key. */
async function poison(t: TestContext, share: string, key?: string): Promise<void> {
  const attacker = new Signing(t, `file:${share}`)
  attacker.write('join.mjs', POISON)
  if (key !== undefined) await attacker.sign(key)
  await attacker.shared('join', '--force')
}

test('what is signed is restored by who trusts the key; `trust:` is in no key', async (t) => {
  const { share, place, key, hash } = makePlace(t)
  assert.match(key, /^ed25519:[\w-]{43}$/)
  assert.equal(filesIn(share, '.', /\.sig\/[0-9a-f]{64}\.[\w-]{43}$/).length, 3, 'two results and the record')
  const { last, notices } = await place.shared()
  assert.deepEqual([outcomes(last), notices, place.ran(), last['experiment']], [RESTORED, [], [], hash])
  place.write('pipeline.yaml', place.read('pipeline.yaml').replace(/^trust: .*\n/m, ''))
  assert.deepEqual(outcomes((await place.shared()).last), ['make: fresh', 'join: fresh'])
  const other = new Signing(t, `file:${share}`)
  other.trust(key)
  assert.equal((await other.run('pull', hash)).code, 0)
  assert.equal((await other.run('reproduce', hash)).code, 0)
})

test('a project without `trust:` takes what a poisoner pushed: this is what signing is for', async (t) => {
  const { share } = makePlace(t)
  await poison(t, share)
  const place = new Signing(t, `file:${share}`)
  assert.deepEqual(outcomes((await place.shared()).last), RESTORED)
  assert.equal(place.read('artifacts/join/text'), 'poisoned')
})

type Damage = (share: string, t: TestContext) => Promise<void> | void

const WRONGS: Readonly<Record<string, readonly [stage: string, Damage, RegExp]>> = {
  'a result that somebody replaced': [
    'join',
    (share, t) => poison(t, share),
    /found only those of other bytes: it was changed or replaced after it was signed\./,
  ],
  'a result that was never signed': [
    'join',
    async (share, t) => {
      await poison(t, share)
      rmSync(`${entryOf(share, 'join')}.sig`, { recursive: true })
    },
    /expected a signature by ed25519:.*, found none\./,
  ],
  'a result that another key signed': ['join', (share, t) => poison(t, share, 'theirs'), /found one by ed25519:/],
  "another key's signature under the name of ours": [
    'join',
    async (share, t) => {
      const ours = signatureOf(share, 'join').slice(-43)
      rmSync(`${entryOf(share, 'join')}.sig`, { recursive: true })
      await poison(t, share, 'theirs')
      const theirs = signatureOf(share, 'join')
      renameSync(theirs, theirs.slice(0, -43) + ours)
    },
    /found one in the name of ed25519:.* that does not fit\./,
  ],
  'a changed manifest': [
    'make',
    (share) => {
      const file = entryOf(share, 'make')
      writeFileSync(file, readFileSync(file, 'utf8').replace(/"seconds":\d/, '"seconds":9'))
    },
    /found only those of other bytes/,
  ],
  'a signed result under the key of another': [
    'make',
    async (share, t) => {
      const other = new Signing(t, `file:${share}`)
      await other.sign()
      const own = entryOf(share, 'make')
      await other.shared('--set', 'n=2')
      const [from] = filesIn(share, 'results/make', /\.json$/).filter((file) => file !== own)
      rmSync(`${own}.sig`, { recursive: true })
      cpSync(from!, own)
      cpSync(`${from!}.sig`, `${own}.sig`, { recursive: true })
    },
    /found one in the name of ed25519:.* that does not fit\./,
  ],
}

for (const [what, [stage, damage, said]] of Object.entries(WRONGS)) {
  test(`${what} is refused and named; the stage runs, and a trusted key heals the remote`, async (t) => {
    const { share, place, key } = makePlace(t)
    await damage(share, t)
    assert.equal(await place.sign(), key)
    const { last, notices } = await place.shared()
    assert.deepEqual(
      notices.map(({ code }) => code),
      ['REMOTE_UNTRUSTED'],
    )
    const message = String(notices[0]!['message'])
    assert.match(message, said)
    assert.match(
      message,
      new RegExp(`^"results/${stage}/\\w{64}\\.json" in the remote "file:.*is not signed by a trusted key`),
    )
    assert.match(message, /`pipeline push`.*The result is not taken from there\.$/)
    assert.deepEqual([outcomes(last).includes(`${stage}: ran`), place.isRight()], [true, true])
    const later = new Signing(t, `file:${share}`)
    later.trust(key)
    const healed = await later.shared()
    assert.deepEqual([outcomes(healed.last), healed.notices, later.isRight()], [RESTORED, [], true])
  })
}

test('a signed entry whose object was changed is refused by its digest', async (t) => {
  const { share, place } = makePlace(t)
  const text = filesIn(share, 'objects', /\w{64}$/).find((file) => readFileSync(file, 'utf8').startsWith('0,1,2'))!
  writeFileSync(text, readFileSync(text, 'utf8').replace('0,1', '1,0'))
  const { notices } = await place.shared()
  assert.deepEqual([notices[0]!['code'], place.ran(), place.isRight()], ['REMOTE_DAMAGED', ['join'], true])
})

test('keys are changed without a break: both are trusted, and a push adds a signature of the new one', async (t) => {
  const { share, place, key } = makePlace(t)
  const next = await place.sign('new')
  place.trust(next, key)
  const { last, notices } = await place.shared()
  assert.deepEqual([outcomes(last), notices], [RESTORED, []])
  // the record is made anew, and signed by the new key; a push does so for the results
  assert.equal((await place.run('push')).code, 0)
  for (const trusted of [key, next]) {
    const other = new Signing(t, `file:${share}`)
    other.trust(trusted)
    const restored = await other.shared()
    assert.deepEqual([outcomes(restored.last), restored.notices, other.isRight()], [RESTORED, [], true])
  }
})

test('what is not trusted is refused by a dry run too; who asks for it by name fails, and nothing of it is here', async (t) => {
  const { share, place, hash } = makePlace(t)
  await poison(t, share, 'theirs')
  const dry = await place.run('run', '--dry-run')
  assert.equal(dry.code, 0)
  assert.match(dry.errors, /found one by ed25519:.*\[REMOTE_UNTRUSTED\]/)
  const stage = await place.run('pull', 'join')
  assert.equal(stage.code, 1)
  assert.match(stage.out, /^pulled {3}make .*\nrefused {2}join {2}"results\/join\/.*, found one by ed25519:/)
  const experiment = await place.run('pull', hash)
  assert.equal(experiment.code, 1)
  assert.match(experiment.errors, /^error: "experiments\/.*\.json" in the remote .*\[REMOTE_UNTRUSTED\]\n$/)
  assert.equal(place.has('artifacts/experiments'), false)
  assert.equal((await place.run('reproduce', hash)).code, 2)
})

test('verify heals by what is trusted alone', async (t) => {
  const { share, place } = makePlace(t)
  await place.shared()
  const damage = () => {
    const file = join(place.root, 'artifacts/store/join', place.results('join')[0]!, 'text')
    rmSync(file)
    writeFileSync(file, 'changed')
  }
  damage()
  assert.equal((await place.ask('verify')).code, 0)
  damage()
  await poison(t, share, 'theirs')
  const { code, errors } = await place.ask('verify')
  assert.equal(code, 1)
  assert.match(errors, /found one by ed25519:.*\[REMOTE_UNTRUSTED\]/)
  assert.deepEqual(outcomes((await place.shared()).last), ['make: fresh', 'join: ran'])
  assert.ok(place.isRight())
})

test('who trusts signed results and cannot sign pushes nothing, and is told once', async (t) => {
  const { share, place } = makePlace(t)
  const before = filesIn(share, '.', /\w{64}/).length
  for (const [name, code] of [
    [undefined, 'SIGNING_KEY_MISSING'],
    ['theirs', 'SIGNING_KEY_UNTRUSTED'],
  ] as const) {
    if (name !== undefined) await place.sign(name)
    const { last, notices } = await place.shared('--set', `n=${code.length}`)
    assert.deepEqual([outcomes(last), notices.map((one) => one['code'])], [['make: ran', 'join: ran'], [code]])
    const pushed = await place.run('push')
    assert.equal(pushed.code, 2)
    assert.match(pushed.errors, new RegExp(`would be refused by all who have its \`trust:\`.*\\[${code}\\]\\n$`))
    assert.equal(filesIn(share, '.', /\w{64}/).length, before)
  }
  await place.sign()
  assert.deepEqual((await place.shared('--set', 'n=5')).notices, [])
  assert.ok(filesIn(share, '.', /\w{64}/).length > before)
})

test('a wrong signing key ends a run before anything has run, and does not matter without a remote', async (t) => {
  const place = new Signing(t, `file:${makeShare(t)}`)
  place.env['PIPELINE_SIGNING_KEY'] = 'make.mjs'
  for (const command of ['run', 'push']) {
    const { code, errors } = await place.run(command)
    assert.equal(code, 2)
    assert.match(errors, /PIPELINE_SIGNING_KEY names "make\.mjs", which holds no private key.*\[SIGNING_KEY_INVALID\]/)
  }
  assert.deepEqual(place.ran(), [])
  assert.equal((await place.run('pull')).code, 0)
  place.write('pipeline.yaml', place.read('pipeline.yaml').replace(/^remote: .*\n/m, ''))
  assert.deepEqual(outcomes((await place.shared()).last), ['make: ran', 'join: ran'])
})

test('a stage does not see the signing key', async (t) => {
  const place = new Signing(t, `file:${makeShare(t)}`)
  place.env['PIPELINE_SIGNING_KEY'] = 'key.pem'
  assert.equal((await place.run('keygen', 'key.pem')).code, 0)
  place.write(
    'join.mjs',
    'import { writeFileSync } from "node:fs"\nwriteFileSync(process.argv[3], JSON.stringify(process.env))\n',
  )
  await place.shared()
  assert.doesNotMatch(place.read('artifacts/join/text'), /SIGNING|key\.pem/)
})

test('keygen prints the public key alone, and a wrong one is refused where it is written', async (t) => {
  const place = new Signing(t, `file:${makeShare(t)}`)
  const made = await place.run('keygen')
  assert.equal(made.code, 0)
  assert.match(made.out, /^ed25519:[\w-]{43}\n$/)
  assert.match(made.errors, /^wrote "signing-key\.pem", the private key: keep it secret, and out of git\./)
  const again = await place.run('keygen')
  assert.deepEqual([again.code, again.out], [2, ''])
  assert.ok(again.errors.includes(`It holds the private key of ${made.out.trim()}.`))
  place.trust(made.out.trim(), made.out.trim().slice(0, -1), 'ssh-ed25519 AAAA')
  const { code, errors } = await place.run('run')
  assert.equal(code, 2)
  assert.match(errors, /pipeline\.yaml:3:64: A public key is `ed25519:` and 43 characters.*found 42 characters/)
  assert.match(errors, /pipeline\.yaml:3:118: .*found what starts with "ssh-ed25519 "/)
})
