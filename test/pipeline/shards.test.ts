import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { collect } from '../../lib/pipeline/collect.ts'
import type { Collected } from '../../lib/pipeline/collect.ts'
import { manifestText, readManifest } from '../../lib/pipeline/manifest.ts'
import type { EstimatedPlan } from '../../lib/pipeline/plan.ts'
import { inTurn } from '../../lib/pipeline/shards/in-turn.ts'
import { shardsName } from '../../lib/pipeline/shards/names.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'
import { Store, isKey } from '../../lib/pipeline/store.ts'
import { DOUBLE, Lines } from './lines.ts'
import { module, outcomesOf, shell, stage } from './rig.ts'

const ran = ['first: ran', 'double: ran', 'last: ran']
const fresh = ['first: fresh', 'double: fresh', 'last: fresh']

test('a result made in parts is the one that is made in one, key and bytes, either way round', async (t) => {
  const rig = new Lines(t, 10)
  const one = await rig.run(rig.stages(undefined))
  assert.deepEqual(outcomesOf(one.finished.stages), ran)
  assert.deepEqual(rig.worked(), ['all'])
  assert.deepEqual(await rig.outcomes(rig.stages(4)), fresh)
  rmSync(rig.path('artifacts'), { recursive: true })
  const { finished, manifests } = await rig.run(rig.stages(4))
  assert.deepEqual(outcomesOf(finished.stages), ran)
  assert.deepEqual(rig.worked(), ['0-2', '2-5', '5-7', '7-10', 'merge'])
  assert.equal(finished.experiment, one.finished.experiment)
  const [a, b] = [one.manifests, manifests].map((all) => all.get('double')!)
  assert.equal(a!.key, b!.key)
  assert.deepEqual([b!.outputs, b!.files], [a!.outputs, a!.files])
  assert.deepEqual([b!.ran.device, b!.ran.shards, a!.ran.shards], ['test', 4, undefined])
  assert.deepEqual(await rig.outcomes(rig.stages(undefined)), fresh)
  assert.deepEqual(await rig.outcomes(rig.stages(7)), fresh)
  assert.deepEqual(rig.worked(), [])
  const record = JSON.parse(rig.read(`artifacts/experiments/${finished.experiment!}/record.json`)) as {
    stages: Record<string, { stage: { shards?: number } }>
  }
  assert.deepEqual([record.stages.double!.stage.shards, Object.keys(record.stages).length], [4, 3])
})

test('of many parts so many are worked on at once, and new ones begin together', async () => {
  const ends: (() => void)[] = []
  let most = 0
  const begun: number[] = []
  const work = (item: number): Promise<void> => {
    begun.push(item)
    return new Promise((resolve) => (most = Math.max(most, ends.push(resolve))))
  }
  const all = inTurn(
    Array.from({ length: 25 }, (_, n) => n),
    work,
    10,
  )
  const end = async (count: number): Promise<void> => {
    for (const one of ends.splice(0, count)) one()
    await setImmediate()
  }
  assert.equal(begun.length, 10)
  await end(4)
  assert.equal(begun.length, 10)
  await end(1)
  assert.equal(begun.length, 15)
  while (ends.length > 0) await end(1)
  await all
  assert.deepEqual([most, begun.length], [10, 25])
  await inTurn([], work)
  await assert.rejects(inTurn([1], () => Promise.reject(new Error('no'))))
})

test('a part that fails is made again alone', async (t) => {
  const rig = new Lines(t, 8)
  writeFileSync(`${rig.log}.bad-l5`, '')
  const { finished, failures } = await rig.run(rig.stages(4), { keepGoing: true })
  assert.deepEqual(outcomesOf(finished.stages), ['first: ran', 'double: failed', 'last: skipped'])
  assert.deepEqual(rig.worked(), ['0-2', '2-4', '4-6', '6-8'])
  assert.deepEqual(
    failures.map(({ code }) => code),
    ['SHARDS_FAILED'],
  )
  assert.match(
    failures[0]!.message,
    /Of the 4 shards of "double", 1 failed: "double\[shard 3\/4\]"\. The 3 that are done/,
  )
  const said = rig.events.find((event) => event.type === 'failure')
  assert.ok(said?.stage === 'double[shard 3/4]' && said.failure.message === 'no l5' && said.log !== null)
  rmSync(`${rig.log}.bad-l5`)
  assert.deepEqual(await rig.outcomes(rig.stages(4)), ['first: fresh', 'double: ran', 'last: ran'])
  assert.deepEqual(rig.worked(), ['4-6', 'merge'])
  assert.deepEqual(rig.parts().sort(), [
    'double[shard 1/4]: fresh',
    'double[shard 2/4]: fresh',
    'double[shard 3/4]: ran',
    'double[shard 4/4]: fresh',
  ])
})

test('no part starts after one has failed, unless the run goes on', async (t) => {
  const rig = new Lines(t, 8)
  writeFileSync(`${rig.log}.bad-l0`, '')
  await rig.run(rig.stages(8), { jobs: 1 })
  assert.deepEqual(rig.worked(), ['0-1'])
})

test('another number of parts takes what is there: finer, coarser, and where neither divides the other', async (t) => {
  const rig = new Lines(t, 12)
  writeFileSync(`${rig.log}.bad-l9`, '')
  await rig.run(rig.stages(4), { keepGoing: true })
  assert.deepEqual(rig.worked(), ['0-3', '3-6', '6-9', '9-12'])
  await rig.run(rig.stages(12), { keepGoing: true })
  assert.deepEqual(rig.worked(), ['10-11', '11-12', '9-10'])
  await rig.run(rig.stages(6), { keepGoing: true })
  assert.deepEqual(rig.worked(), ['9-10'])
  rmSync(`${rig.log}.bad-l9`)
  assert.deepEqual(await rig.outcomes(rig.stages(5)), ['first: fresh', 'double: ran', 'last: ran'])
  assert.deepEqual(rig.worked(), ['9-10', 'merge'])
  const expected = Array.from({ length: 12 }, (_, n) => `l${n}l${n}\n`).join('')
  assert.equal(rig.read('artifacts/double/text.txt'), expected)
  rig.unmerge()
  assert.deepEqual(await rig.outcomes(rig.stages(1)), ['first: fresh', 'double: ran', 'last: fresh'])
  assert.deepEqual(rig.worked(), ['merge'])
})

test('a part whose bytes rotted is made anew; a result forced is made of new parts', async (t) => {
  const rig = new Lines(t, 6)
  await rig.run(rig.stages(3))
  rig.worked()
  rig.unmerge()
  const folder = rig.path('artifacts', 'store', rig.folder)
  const key = readdirSync(folder).find((name) => /^[0-9a-f]{64}$/.test(name))!
  chmodSync(`${folder}/${key}/part`, 0o644)
  writeFileSync(`${folder}/${key}/part`, 'rot\n')
  await rig.run(rig.stages(3))
  assert.equal(rig.worked().length, 2)
  assert.ok(rig.notices().includes('RESULT_DAMAGED'))
  assert.deepEqual(await rig.outcomes(rig.stages(3), { force: ['double'] }), [
    'first: fresh',
    'double: ran',
    'last: fresh',
  ])
  assert.deepEqual(rig.worked(), ['0-2', '2-4', '4-6', 'merge'])
  assert.ok(!rig.notices().includes('NOT_DETERMINISTIC'))
})

test('more parts than units are as many as units, which is said; one is the stage itself', async (t) => {
  const rig = new Lines(t, 3)
  await rig.run(rig.stages(100_000))
  assert.deepEqual(rig.worked(), ['0-1', '1-2', '2-3', 'merge'])
  assert.ok(rig.notices().includes('SHARDS_FEWER'))
  const other = new Lines(t, 1)
  await other.run(other.stages(2))
  assert.deepEqual(other.worked(), ['all'])
})

test('the plan tells the parts, once what they are cut from is there, and touches nothing', async (t) => {
  const rig = new Lines(t, 8)
  const shardsOf = async (shards: number) =>
    ((await rig.plan(rig.stages(shards))) as readonly { readonly shards?: unknown }[])[1]!.shards
  assert.deepEqual(await shardsOf(4), { asked: 4, unit: 'lines', units: null, shards: [] })
  writeFileSync(`${rig.log}.bad-l5`, '')
  await rig.run(rig.stages(4), { keepGoing: true })
  rig.worked()
  const before = readdirSync(rig.path('artifacts', 'store'))
  const found = (await shardsOf(4)) as { unit: string; units: number; shards: { name: string; state: string }[] }
  assert.deepEqual([found.unit, found.units], ['lines', 8])
  assert.deepEqual(
    found.shards.map(({ name, state }) => `${name} ${state}`),
    ['double[shard 1/4] fresh', 'double[shard 2/4] fresh', 'double[shard 3/4] run', 'double[shard 4/4] fresh'],
  )
  assert.deepEqual(readdirSync(rig.path('artifacts', 'store')), before)
  assert.deepEqual(rig.worked(), [])
})

test('a stage that does not divide is refused, with its place', async (t) => {
  const rig = new Lines(t, 3)
  rig.write(
    'plain.ts',
    'export default { params: { type: "object", properties: {} }, in: [], out: [], async run() {} }',
  )
  const places = { shards: { file: 'pipeline.yaml', line: 9, column: 5 } }
  for (const program of [shell('true'), module('plain.ts')]) {
    await assert.rejects(rig.run([stage('s', program, { shards: 2, places: () => places })]), {
      code: 'SHARDS_REFUSED',
      place: places.shards,
    })
  }
})

test('units that are no number are refused, and a failure of the count is the stage’s own', async (t) => {
  const rig = new Lines(t, 3)
  const code = DOUBLE(rig.log)
  for (const [units, expected] of [
    ['() => 1.5', 'SHARDS_INVALID'],
    ['() => 0', 'SHARDS_INVALID'],
    ['() => { throw new Error("no count") }', 'STAGE_FAILED'],
  ] as const) {
    rig.write('double.ts', code.replace(/units: .*,/, `units: ${units},`))
    const { failures } = await rig.run(rig.stages(2))
    assert.equal(failures[0]!.code, expected, failures[0]!.message)
  }
})

test('parts of another result, under whatever name, are not taken', async (t) => {
  const rig = new Lines(t, 6)
  await rig.run(rig.stages(3))
  const store = rig.path('artifacts', 'store')
  const other = rig.folder
  rig.worked()
  rig.write('input.txt', rig.read('input.txt').toUpperCase())
  writeFileSync(`${rig.log}.bad-L0`, '')
  await rig.run(rig.stages(3), { jobs: 1 })
  assert.deepEqual(rig.worked(), ['0-2'])
  const own = readdirSync(store).find((name) => name.startsWith('double@') && name !== other)!
  rmSync(`${store}/${own}`, { recursive: true })
  renameSync(`${store}/${other}`, `${store}/${own}`)
  rmSync(`${rig.log}.bad-L0`)
  // nor do they say where to cut
  await rig.run(rig.stages(2))
  assert.deepEqual(rig.worked(), ['0-3', '3-6', 'merge'])
  assert.match(rig.read('artifacts/double/text.txt'), /^L0L0\n/)
})

test('gc keeps the parts that wait for others, takes those whose result is there, and their folder', async (t) => {
  const rig = new Lines(t, 6)
  const partsThere = (): number => readdirSync(rig.path('artifacts', 'store', rig.folder)).filter(isKey).length
  const store = new Store(rig.path('artifacts'), new StatCache(rig.path('cache')))
  const gc = (): Promise<Collected> => collect(rig.root, store, { bytes: undefined, age: undefined }, false)
  writeFileSync(`${rig.log}.bad-l5`, '')
  await rig.run(rig.stages(3), { keepGoing: true })
  await gc()
  assert.equal(partsThere(), 2)
  const long = new Date(Date.now() - 8 * 86_400_000)
  const [old] = readdirSync(rig.path('artifacts', 'store', rig.folder)).filter(isKey)
  utimesSync(rig.path('artifacts', 'store', rig.folder, old!), long, long)
  await gc()
  assert.equal(partsThere(), 1)
  rmSync(`${rig.log}.bad-l5`)
  assert.deepEqual(await rig.outcomes(rig.stages(3)), ['first: fresh', 'double: ran', 'last: ran'])
  await gc()
  assert.equal(rig.folder, undefined)
  assert.deepEqual(await rig.outcomes(rig.stages(3)), fresh)
})

test('10,000 parts are planned in seconds, whether there or not', async (t) => {
  const rig = new Lines(t, 20_000)
  await rig.run(rig.stages(1), { targets: ['first'] })
  const timed = async (): Promise<{ seconds: number; states: Set<string> }> => {
    const started = performance.now()
    const [, plan] = (await rig.plan(rig.stages(10_000))) as readonly EstimatedPlan[]
    const states = new Set(plan!.shards!.shards.map(({ state }) => state))
    assert.equal(plan!.shards!.shards.length, 10_000)
    const seconds = (performance.now() - started) / 1000
    t.diagnostic(`${seconds.toFixed(1)} s`)
    return { seconds, states }
  }
  const none = await timed()
  assert.deepEqual([...none.states], ['run'])
  const [, plan] = (await rig.plan(rig.stages(10_000))) as readonly EstimatedPlan[]
  await layParts(rig, plan!)
  const all = await timed()
  assert.deepEqual([...all.states], ['fresh'])
  assert.ok(none.seconds < 10 && all.seconds < 30)
})

/** As if they had been made: through the store's own door it would take minutes of flushing to disk. */
async function layParts(rig: Lines, { key, shards }: EstimatedPlan): Promise<void> {
  writeFileSync(`${rig.log}.bad-l3`, '')
  await rig.run(rig.stages(10_000), { jobs: 1 })
  const folder = rig.path('artifacts', 'store', shardsName('double', key!))
  const model = readManifest(`${folder}/${shards!.shards[0]!.key}`, shards!.shards[0]!.key)!
  for (const { key: own, from, to } of shards!.shards) {
    if (existsSync(`${folder}/${own}`)) continue
    mkdirSync(`${folder}/${own}`)
    writeFileSync(`${folder}/${own}/part`, readFileSync(`${folder}/${model.key}/part`), { mode: 0o444 })
    const manifest = { ...model, key: own, record: { ...model.record, shard: { from, to, of: shards!.units! } } }
    writeFileSync(`${folder}/${own}/manifest.json`, manifestText(manifest))
  }
}
