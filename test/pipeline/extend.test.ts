import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { test } from 'node:test'
import { collect } from '../../lib/pipeline/collect.ts'
import { projectAt } from '../../lib/pipeline/project.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'
import { Store } from '../../lib/pipeline/store.ts'
import { measureStore } from '../../lib/pipeline/usage.ts'
import { Rig, module, stage } from './rig.ts'
import { SUM } from './sum.ts'
import type { Stage } from '../../lib/pipeline/pipeline.ts'

const sum = (epochs: number, rate = 1): Stage[] => [
  stage('sum', module('sum.ts'), { with: { epochs, rate }, out: { sum: 'sum' } }),
]

function placed(t: Parameters<NonNullable<Parameters<typeof test>[0]>>[0]): Rig {
  const rig = new Rig(t)
  rig.write('sum.ts', SUM)
  rig.write('package.json', '{"type":"module"}')
  return rig
}

/** Runs, and gives what the stage said that it did itself, or its outcome. */
async function taken(rig: Rig, stages: Stage[], options = {}): Promise<string> {
  const [outcome] = await rig.outcomes(stages, options)
  const lines = rig.events.flatMap((event) => (event.type === 'stage-log' ? [event.line] : []))
  return lines[0] ?? outcome!
}

const kept = (rig: Rig): string[] =>
  readdirSync(rig.path('artifacts/store/sum')).filter((name) => name.startsWith('.') && !name.startsWith('.lock'))

test('a longer run finds what a shorter one left, another one does not, and the result is the same', async (t) => {
  const rig = placed(t)
  assert.equal(await taken(rig, sum(3)), 'took 3')
  assert.equal(await taken(rig, sum(5)), 'took 2')
  assert.equal(rig.read('artifacts/sum/sum'), '5')
  assert.equal(await taken(rig, sum(5), { force: ['sum'] }), 'took 5', 'to be compared, it begins anew')
  assert.equal(await taken(rig, sum(5, 2)), 'took 5', 'another rate')
  assert.equal(await taken(rig, sum(4)), 'took 4', 'one that is shorter begins anew')
  assert.equal(await taken(rig, sum(6)), 'took 2', 'from what the last of its family left')
  assert.equal(kept(rig).length, 2, 'one for each rate')
  assert.equal(await taken(rig, sum(5)), 'sum: restored')
  rig.write('sum.ts', SUM.replace('sum += rate', 'sum += 2 * rate'))
  assert.equal(await taken(rig, sum(7)), 'took 7', 'of other code')
})

test('one that fails leaves what it went on from', async (t) => {
  const rig = placed(t)
  await taken(rig, sum(3))
  const [name] = kept(rig).filter((one) => one.startsWith('.extend'))
  const { mtimeMs } = statSync(rig.path('artifacts/store/sum', name!, 'state.json'))
  rig.write('sum.ts', SUM.replace("log('took", "if (epochs === 9) throw new Error('fails')\n    log('took"))
  await taken(rig, sum(3))
  assert.equal(await taken(rig, sum(9)), 'sum: failed')
  assert.equal(statSync(rig.path('artifacts/store/sum', name!, 'state.json')).mtimeMs, mtimeMs)
})

test('gc and du count it with its result, with which it goes', async (t) => {
  const rig = placed(t)
  await taken(rig, sum(3))
  await taken(rig, sum(3, 2))
  const store = new Store(rig.path('artifacts'), new StatCache(projectAt(rig.root).cache))
  const [usage] = measureStore(rig.root, store).stages
  const own = usage!.results.map(({ bytes }) => bytes).reduce((a, b) => a + b, 0)
  assert.ok(usage!.bytes - own < 5000, `${usage!.bytes} ${own}`)
  rmSync(rig.path('artifacts/experiments'), { recursive: true, force: true })
  const { removed, leftovers, bytes } = await collect(rig.root, store, { bytes: undefined, age: undefined }, false)
  assert.deepEqual([removed.length, leftovers.length], [1, 0])
  assert.equal(bytes, measureStore(rig.root, store).bytes)
  assert.equal(kept(rig).length, 1, 'that of the current result')
  const left = readdirSync(rig.path('artifacts/store/sum')).find((name) => /^[0-9a-f]{64}$/.test(name))!
  assert.ok(kept(rig)[0]!.startsWith(`.extend-${left}-`))
  // where its result was lost, it is of no use to anybody
  rmSync(rig.path('artifacts/store/sum', left), { recursive: true })
  await collect(rig.root, store, { bytes: undefined, age: undefined }, false)
  assert.deepEqual(kept(rig), [])
  assert.equal(existsSync(rig.path('artifacts/store/sum', left)), false)
})
