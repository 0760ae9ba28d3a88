import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Digest } from '../../lib/pipeline/canonical.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'
import { Store } from '../../lib/pipeline/store.ts'
import { drive } from '../pipeline/drive.ts'
import type { Drive } from '../pipeline/drive.ts'
import { Rig, shell, stage, until } from '../pipeline/rig.ts'
import { programOf } from './debian.ts'
import { networkMount } from './network-mount.ts'
import type { NetworkMount } from './network-mount.ts'
import { onHost } from './on-host.ts'

const timeout = 120_000
const COPY = 'cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'
const stages = [
  stage('first', shell(`echo ran >> count; while [ ! -e go ]; do sleep 0.05; done; ${COPY}`), {
    ...{ in: { text: './input.txt' }, out: { text: 'text.txt' } },
  }),
  stage('second', shell(COPY), { in: { text: 'first.text' }, out: { text: 'text.txt' } }),
]

/** A folder of a file server, and projects that have each mounted it for their store. */
async function projects(
  t: TestContext,
  count: number,
): Promise<{ readonly rigs: Rig[]; readonly mounts: NetworkMount[]; readonly server: string }> {
  const server = new Rig(undefined)
  mkdirSync(server.path('store'))
  const rigs = Array.from({ length: count }, () => new Rig(undefined))
  const mounts: NetworkMount[] = []
  for (const rig of rigs) {
    rig.write('input.txt', 'abc')
    mkdirSync(rig.path('artifacts'))
    mounts.push(await networkMount(server.path('store'), rig.path('mount')))
    symlinkSync(rig.path('mount'), rig.path('artifacts/store'))
  }
  t.after(() => {
    for (const mount of mounts) mount.unmount()
    for (const { root } of [...rigs, server]) rmSync(root, { recursive: true, maxRetries: 5 })
  })
  return { rigs, mounts, server: server.path('store') }
}

const outcomes = (run: Drive): string[] =>
  run.told.flatMap(({ type, name, outcome }) => (type === 'stage-finished' ? [`${name!}: ${outcome!}`] : []))
const failures = (run: Drive): string[] => run.told.flatMap(({ type, code }) => (type === 'failure' ? [code!] : []))

test('two machines that have mounted one store make each result once', { timeout }, async (t) => {
  const { rigs } = await projects(t, 2)
  const [one, other] = rigs as [Rig, Rig]
  const first = await drive(one, stages, onHost('one', 0))
  await until(() => one.has('count'), t)
  const second = await drive(other, stages, onHost('other', 0))
  await second.hears(({ code }) => code === 'LOCK_WAIT')
  one.write('go', '')
  assert.deepEqual([(await first.ended).code, (await second.ended).code], [0, 0])
  assert.equal(other.has('count'), false)
  assert.deepEqual(outcomes(first), ['first: ran', 'second: ran'])
  assert.deepEqual(outcomes(second), ['first: restored', 'second: restored'])
  for (const rig of rigs) {
    assert.equal(rig.read('artifacts/second/text.txt'), 'abc')
    assert.deepEqual(await rig.outcomes(stages), ['first: fresh', 'second: fresh'])
  }
  other.write('input.txt', 'abd')
  other.write('go', '')
  assert.deepEqual(await other.outcomes(stages), ['first: ran', 'second: ran'])
  assert.equal(other.read('artifacts/second/text.txt'), 'abd')
  assert.equal(one.read('artifacts/second/text.txt'), 'abc')
})

test('a file server that dies is named, and the run goes on when it is back', { timeout }, async (t) => {
  const { rigs, mounts, server } = await projects(t, 1)
  const [rig] = rigs as [Rig]
  const run = await drive(rig, stages)
  await until(() => rig.has('count'), t)
  await mounts[0]!.lose()
  rig.write('go', '')
  assert.equal((await run.ended).code, 1)
  assert.deepEqual(failures(run), ['STORE_FAILED'])
  mounts[0]!.unmount()
  mounts[0] = await networkMount(server, rig.path('mount'))
  assert.deepEqual(await rig.outcomes(stages), ['first: ran', 'second: ran'])
  assert.equal(rig.read('artifacts/second/text.txt'), 'abc')
})

test('a result that another machine made meanwhile is the first', { timeout }, async (t) => {
  const { rigs } = await projects(t, 1)
  const [rig] = rigs as [Rig]
  rig.write('go', '')
  const key = (await rig.run(stages)).finished.stages[0]!.key! as Digest
  const store = new Store(rig.path('artifacts'), new StatCache(rig.path('cache')))
  const work = store.begin('first', key)
  writeFileSync(join(work.result, 'text.txt'), 'abc')
  const there = store.manifest('first', key)!
  const late = { ...there, ran: { ...there.ran, at: 'later' } }
  assert.deepEqual(await store.publish(work, 'first', late), there)
  assert.deepEqual(readdirSync(work.result).sort(), ['manifest.json', 'text.txt'])
})

/** Edits a file just after it was hashed, so that neither its size nor its times tell; prints how often that was not seen. */
const EDITS = `
import { statSync, writeFileSync } from 'node:fs'
import { StatCache } from './lib/pipeline/stat-cache.ts'
const [file, folder] = process.argv.slice(-2)
const found = { same: 0, missed: 0 }
for (let i = 0; i < 20; i++) {
  writeFileSync(file, 'old')
  const cache = new StatCache(folder)
  const { digest } = await cache.tree(file)
  cache.save()
  const { ctimeMs } = statSync(file)
  writeFileSync(file, 'new')
  if (statSync(file).ctimeMs === ctimeMs) found.same++
  if ((await new StatCache(folder).tree(file)).digest === digest) found.missed++
}
console.log(JSON.stringify(found))
`

for (const clock of ['+10m', '-10m'])
  test(`an edit in the second in which a file was hashed is seen where our clock is ${clock} from the server's`, async (t) => {
    const { rigs } = await projects(t, 1)
    const path = (name: string): string => rigs[0]!.path('mount', name)
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', EDITS]
    const args = ['-f', clock, ...node, '--', path('input.txt'), path('cache')]
    const found = JSON.parse(execFileSync(programOf('faketime'), args, { encoding: 'utf8' })) as Record<string, number>
    assert.ok(found['same']! > 10, JSON.stringify(found))
    assert.equal(found['missed'], 0)
  })
