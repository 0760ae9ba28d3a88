import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { collect } from '../../lib/pipeline/collect.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'
import { Store } from '../../lib/pipeline/store.ts'
import { drive } from '../pipeline/drive.ts'
import { Rig, shell, stage, until } from '../pipeline/rig.ts'
import { programOf } from './debian.ts'
import { Cluster } from './slurm.ts'

const HOUR_MS = 3_600_000
const text = { out: { text: 'text.txt' } }

/** Jobs on a node whose clock is so many hours from the driver's. */
function onClock(hours: number) {
  programOf('faketime')
  const list = execFileSync('dpkg', ['-L', 'libfaketime'], { encoding: 'utf8' })
  const library = /^.*\/libfaketime\.so\.1$/m.exec(list)![0]
  const clock = `LD_PRELOAD=${library},FAKETIME=${hours > 0 ? '+' : ''}${hours}h,FAKETIME_DONT_FAKE_MONOTONIC=1`
  return { executor: 'slurm', slurm: { options: [`--export=ALL,${clock}`] } } as const
}

const stages = [
  stage('ahead', shell('touch begun; until [ -e go ]; do sleep 0.1; done; echo made > "$PIPELINE_OUT_TEXT"'), {
    ...text,
    ...onClock(7),
  }),
  stage('behind', shell('cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'), {
    ...{ in: { text: 'ahead.text' }, ...text, ...onClock(-5) },
  }),
]

test('clocks of nodes and driver are hours apart: results, adoption and gc are as with one clock', async (t) => {
  const cluster = await Cluster.start()
  t.after(() => cluster.stop())
  const rig = new Rig(t)
  const begun = Date.now()
  const first = await drive(rig, stages)
  await until(() => rig.has('begun'), t)
  first.child.kill('SIGKILL')
  await first.ended
  const driver = { wrapper: [programOf('faketime'), '-f', '-2h'], env: { FAKETIME_DONT_FAKE_MONOTONIC: '1' } }
  const next = await drive(rig, stages, driver)
  await next.hears(({ code }) => code === 'SLURM_ADOPTED')
  rig.write('go', '')
  assert.equal((await next.ended).code, 0, JSON.stringify(next.told))
  assert.equal(cluster.jobs().length, 2, 'each was handed in once')
  assert.equal(rig.read('artifacts/behind/text.txt'), 'made\n')
  const store = new Store(rig.path('artifacts'), new StatCache(rig.path('cache')))
  const apart = ['ahead', 'behind'].map((name) => Date.parse(store.manifests(name)[0]!.ran.at) - begun)
  assert.deepEqual(apart.map((ms) => Math.round(ms / HOUR_MS)), [7, -5], 'their clocks were others') // prettier-ignore
  assert.equal((await (await drive(rig, stages, driver)).ended).code, 0, 'what is taken is marked as used')
  // what nobody has and was not used for an hour goes
  for (const name of ['experiments', 'ahead', 'behind']) rmSync(rig.path('artifacts', name), { recursive: true })
  assert.deepEqual((await collect(rig.root, store, { bytes: undefined, age: 1 / 24 }, false)).removed, [])
  assert.deepEqual(await rig.outcomes(stages), ['ahead: restored', 'behind: restored'])
})
