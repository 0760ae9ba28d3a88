import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { drive } from '../pipeline/drive.ts'
import { Rig, shell, stage } from '../pipeline/rig.ts'
import { Cluster } from './slurm.ts'

const slurm = { executor: 'slurm' } as const
const text = { out: { text: 'text.txt' } }

// Slurm looks at limits of time, and forgets jobs that have ended, once in a while: a minute or two each.
describe('limits of a cluster', { timeout: 600_000, concurrency: true }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start(['MaxArraySize=5', 'MaxJobCount=8', 'MinJobAge=2'])
  })
  after(() => cluster.stop())

  it('hands in later what a full queue has no place for', async (t) => {
    const rig = new Rig(t)
    const cells = Array.from({ length: 12 }, (_, i) =>
      stage(`cell[${i}]`, shell('sleep 1; echo "$PIPELINE_WITH" > "$PIPELINE_OUT_TEXT"'), {
        ...{ with: { i }, cell: { i: String(i) }, ...text, ...slurm },
      }),
    )
    const most = { seen: 0 }
    const look = setInterval(() => (most.seen = Math.max(most.seen, cluster.jobs().length)), 500)
    const outcomes = await rig.outcomes(cells, slurm).finally(() => clearInterval(look))
    assert.equal(outcomes.join().match(/ran/g)!.length, 12)
    assert.ok(most.seen > 0 && most.seen <= 8, `${most.seen} jobs at once`)
    assert.match(cluster.log(), /MaxJobCount/, 'the queue was full')
  })

  it('says that a job took too much time, and what it was given', async (t) => {
    const rig = new Rig(t)
    const given = { slurm: { timeSeconds: 60 } }
    const { failures } = await rig.run([stage('slow', shell('sleep 600'), { ...text, ...given })], slurm)
    assert.deepEqual(failures.map(({ code }) => code), ['SLURM_TIMEOUT']) // prettier-ignore
    assert.match(
      failures[0]!.message,
      /^Job \d+ of stage "slow" reached its time limit of 60 s\. Raise its `slurm\.time`/,
    )
  })
})

describe('a thousand jobs', { timeout: 600_000 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start()
  })
  after(() => cluster.stop())

  it('are gone on with by the next driver, and none is handed in twice', async (t) => {
    const rig = new Rig(t)
    const script = `until [ -e "${rig.path('release')}" ]; do sleep 1; done; echo made > "$PIPELINE_OUT_TEXT"`
    const stages = Array.from({ length: 1000 }, (_, i) =>
      stage(`cell[${i}]`, shell(script), { with: { i }, cell: { i: String(i) }, ...text, ...slurm }),
    )
    const first = await drive(rig, stages)
    await cluster.until(() => cluster.jobs().length === 1000)
    first.child.kill('SIGKILL')
    await first.ended
    const started = performance.now()
    const next = await drive(rig, stages)
    const { message } = await next.hears(({ code }) => code === 'SLURM_ADOPTED')
    t.diagnostic(`adopted ${Math.round(performance.now() - started)} ms after the driver's start`)
    assert.match(message!, /^1,?000 jobs /)
    assert.equal(cluster.jobs().length, 1000)
    next.child.kill('SIGINT')
    await next.ended
    await cluster.until(() => !cluster.jobs().some((job) => /RUN|PEND|COMPLETING/.test(job)))
  })
})
