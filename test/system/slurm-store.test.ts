import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import type { Stage } from '../../lib/pipeline/pipeline.ts'
import { drive } from '../pipeline/drive.ts'
import type { Drive } from '../pipeline/drive.ts'
import { Rig, shell, stage, until } from '../pipeline/rig.ts'
import { Cluster } from './slurm.ts'

const slurm = { executor: 'slurm' } as const
const text = { out: { text: 'text.txt' } }

const held: readonly Stage[] = [
  stage('held', shell(`touch begun; until [ -e release ]; do sleep 0.1; done; echo made > "$PIPELINE_OUT_TEXT"`), {
    ...text,
    ...slurm,
  }),
  stage('after', shell('cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'), {
    ...{ in: { text: 'held.text' }, ...text, ...slurm },
  }),
]

async function assertNamed(run: Drive): Promise<void> {
  const { code } = await run.ended
  const failures = run.told.filter(({ type }) => type === 'failure')
  assert.deepEqual([code, failures.map((failure) => failure.code)], [1, ['STORE_MISSING']])
  assert.equal(run.told.at(-1)!.experiment, null)
}

describe('a store that goes away under jobs of Slurm', { timeout: 300_000 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start()
  })
  after(() => cluster.stop())

  async function begin(t: TestContext, rig: Rig): Promise<Drive> {
    const run = await drive(rig, held)
    await until(() => rig.has('begun'), t)
    return run
  }

  it('is named by the driver and by the job; when it is back, the run goes on', async (t) => {
    const rig = new Rig(t)
    const [place, away] = [rig.path('artifacts/store'), rig.path('away')]
    const run = await begin(t, rig)
    renameSync(place, away)
    await assertNamed(run)
    assert.equal(existsSync(place), false)
    const [token] = readdirSync(`${away}/.jobs`).filter((name) => /^[0-9a-f]{12}$/.test(name))
    const said = readFileSync(`${away}/.jobs/${token!}/0.out`, 'utf8')
    assert.match(said, /^The store ".*" is not the one that this run began with/m)
    renameSync(away, place)
    rig.write('release', '')
    assert.deepEqual(await rig.outcomes(held), ['held: ran', 'after: ran'])
    assert.equal(rig.read('artifacts/after/text.txt'), 'made\n')
  })

  it('is not made in the folder of its mount', async (t) => {
    const rig = new Rig(t)
    const [place, disk] = [rig.path('artifacts/store'), rig.path('disk')]
    for (const folder of [place, disk]) mkdirSync(folder, { recursive: true })
    const mount = () => execFileSync('mount', ['--bind', disk, place])
    const unmount = () => execFileSync('umount', ['--lazy', place])
    mount()
    try {
      const run = await begin(t, rig)
      unmount()
      await assertNamed(run)
      assert.deepEqual(readdirSync(place), [])
      mount()
      rig.write('release', '')
      assert.deepEqual(await rig.outcomes(held), ['held: ran', 'after: ran'])
    } finally {
      unmount()
    }
  })

  it('is not made by a driver that hands a job in', async (t) => {
    const rig = new Rig(t)
    const fails = stage('fails', shell('exit 3'), { ...text, ...slurm, retries: { times: 1, backoffSeconds: 3 } })
    const run = await drive(rig, [fails])
    await run.hears(({ code }) => code === 'RETRY')
    renameSync(rig.path('artifacts'), rig.path('away'))
    await assertNamed(run)
    assert.equal(existsSync(rig.path('artifacts')), false)
  })

  it('is not made for what the run writes down of itself', async (t) => {
    const rig = new Rig(t)
    const run = await drive(rig, [stage('waits', shell('true'), { ...text, ...slurm, slurm: { options: ['--hold'] } })])
    await run.hears(({ code }) => code === 'SLURM_QUEUED')
    renameSync(rig.path('artifacts'), rig.path('away'))
    execFileSync('scancel', ['--state=PENDING', '--user=root'])
    await assertNamed(run)
    assert.equal(existsSync(rig.path('artifacts')), false)
  })

  it('may be gone for a moment: the driver that adopted its job goes on', async (t) => {
    const rig = new Rig(t)
    const [place, away] = [rig.path('artifacts/store'), rig.path('away')]
    const first = await begin(t, rig)
    first.child.kill('SIGKILL')
    await first.ended
    const next = await drive(rig, held)
    await next.hears(({ code }) => code === 'SLURM_ADOPTED')
    renameSync(place, away)
    renameSync(away, place)
    rig.write('release', '')
    assert.equal((await next.ended).code, 0)
    assert.equal(rig.read('artifacts/after/text.txt'), 'made\n')
  })
})
