import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { drive } from '../pipeline/drive.ts'
import { Rig, shell, stage, until } from '../pipeline/rig.ts'

const timeout = 60_000
const WAIT = 'touch started; while [ ! -e go ]; do sleep 0.02; done; '
const COPY = 'cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'
const chain = (second: string) => [
  stage('first', shell(COPY), { in: { text: './input.txt' }, out: { text: 'text.txt' } }),
  stage('second', shell(second), { in: { text: 'first.text' }, out: { text: 'text.txt' } }),
  stage('third', shell(COPY), { in: { text: 'second.text' }, out: { text: 'text.txt' } }),
]
const last = (run: Awaited<ReturnType<typeof drive>>) => run.told.at(-1)!

/** How a store goes, and how it comes back. */
const LOSSES = {
  'the store is moved away': ['artifacts/store', undefined],
  'all of artifacts is moved away': ['artifacts', undefined],
  'an empty folder is in its place, as below a mount': ['artifacts/store', 'artifacts/store'],
  'an empty folder is in the place of artifacts': ['artifacts', 'artifacts'],
} as const

for (const [what, [place, empty]] of Object.entries(LOSSES)) {
  for (const [when, script] of [
    ['while a stage writes', WAIT + COPY],
    ['when a stage has written', `${COPY}; ${WAIT}`],
  ] as const) {
    test(
      `${what} ${when}: the run fails and names it, makes no other, and goes on when it is back`,
      { timeout },
      async (t) => {
        const rig = new Rig(t)
        rig.write('input.txt', 'abc')
        const run = await drive(rig, chain(script))
        await until(() => rig.has('started'), t)
        renameSync(rig.path(place), rig.path('away'))
        if (empty !== undefined) mkdirSync(rig.path(empty))
        rig.write('go', '')
        const { code } = await run.ended
        const failures = run.told.filter(({ type }) => type === 'failure')
        assert.deepEqual([code, failures.map((failure) => failure.code)], [1, ['STORE_MISSING']])
        assert.equal(last(run).experiment, null)
        if (empty === undefined) assert.equal(existsSync(rig.path(place)), false)
        else assert.deepEqual(readdirSync(rig.path(place)), [])
        if (empty !== undefined) renameSync(rig.path(place), rig.path('emptied'))
        renameSync(rig.path('away'), rig.path(place))
        assert.deepEqual(await rig.outcomes(chain(script)), ['first: fresh', 'second: ran', 'third: ran'])
        assert.equal(rig.read('artifacts/third/text.txt'), 'abc')
      },
    )
  }
}

test('a link of the store that leads elsewhere in mid-run is no other store', { timeout }, async (t) => {
  const rig = new Rig(t)
  rig.write('input.txt', 'abc')
  for (const name of ['one', 'other', 'artifacts']) mkdirSync(rig.path(name))
  symlinkSync(rig.path('one'), rig.path('artifacts/store'))
  const run = await drive(rig, chain(WAIT + COPY))
  await until(() => rig.has('started'), t)
  symlinkSync(rig.path('other'), rig.path('new'))
  renameSync(rig.path('new'), rig.path('artifacts/store'))
  rig.write('go', '')
  assert.equal((await run.ended).code, 1)
  assert.deepEqual(readdirSync(rig.path('other')), [])
})

test('a run whose mark in the store a gc elsewhere cleared away goes on', { timeout }, async (t) => {
  const rig = new Rig(t)
  rig.write('input.txt', 'abc')
  const run = await drive(rig, chain(WAIT + COPY))
  await until(() => rig.has('started'), t)
  for (const name of readdirSync(rig.path('artifacts/store/.runs'))) {
    renameSync(rig.path('artifacts/store/.runs', name), rig.path(name))
  }
  rig.write('go', '')
  assert.equal((await run.ended).code, 0)
})

test(
  'what a client of NFS keeps of an open file is no part of a result, and in no way of gc, verify and du',
  { timeout },
  async (t) => {
    const { verifyStore } = await import('../../lib/pipeline/verify.ts')
    const { collect } = await import('../../lib/pipeline/collect.ts')
    const { measureStore } = await import('../../lib/pipeline/usage.ts')
    const { Store } = await import('../../lib/pipeline/store.ts')
    const { StatCache } = await import('../../lib/pipeline/stat-cache.ts')
    const rig = new Rig(t)
    rig.write('input.txt', 'abc')
    const folder = [
      stage('all', shell('mkdir "$PIPELINE_OUT_ALL"; cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_ALL/text"'), {
        in: { text: './input.txt' },
        out: { all: 'all' },
      }),
    ]
    const key = (await rig.run(folder)).finished.stages[0]!.key!
    const silly = `.nfs${'0'.repeat(16)}0000000a`
    const places = ['', '.runs', 'all', `all/${key}`, `all/${key}/all`].map((place) =>
      rig.path('artifacts/store', place, silly),
    )
    for (const place of places) writeFileSync(place, 'what a process has open')
    assert.deepEqual(await rig.outcomes(folder), ['all: fresh'])
    const store = new Store(rig.path('artifacts'), new StatCache(rig.path('cache')))
    assert.deepEqual(verifyStore(store).damaged, [])
    assert.equal(measureStore(rig.root, store).stages[0]!.results.length, 1)
    const policy = { bytes: undefined, age: undefined }
    assert.deepEqual((await collect(rig.root, store, policy, false)).removed, [])
    assert.ok(places.every((place) => existsSync(place)))
  },
)
