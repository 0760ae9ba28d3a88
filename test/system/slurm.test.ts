import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { Rig, shell, stage } from '../pipeline/rig.ts'
import { Cluster } from './slurm.ts'

const slurm = { executor: 'slurm' } as const
const COPY = 'cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'
const text = { out: { text: 'text.txt' } }
const two = [
  stage('first', shell(COPY), { in: { text: './input.txt' }, ...text }),
  stage('second', shell(`${COPY}; echo "gpu $CUDA_VISIBLE_DEVICES, $PIPELINE_THREADS threads"`), {
    ...{ in: { text: 'first.text' }, ...text, resources: { gpu: 1, cpu: 2, memory: 100 * 2 ** 20 } },
  }),
]

describe('stages as jobs of Slurm', { timeout: 300_000 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start()
  })
  after(() => cluster.stop())

  const rigWith = (t: ConstructorParameters<typeof Rig>[0]): Rig => {
    const rig = new Rig(t)
    rig.write('input.txt', 'text')
    return rig
  }
  const logOf = (rig: Rig, id: string): string[] =>
    rig.events.flatMap((event) => (event.type === 'stage-log' && event.stage === id ? [event.line] : []))
  const ordersIn = (rig: Rig): string[] =>
    readdirSync(rig.path('artifacts/store/.jobs')).filter((name) => /^[0-9a-f]{12}$/.test(name))

  it('makes the results and leaves nothing beside them', async (t) => {
    const rig = rigWith(t)
    assert.deepEqual(await rig.outcomes(two, slurm), ['first: ran', 'second: ran'])
    assert.equal(rig.read('artifacts/second/text.txt'), 'text')
    assert.match(logOf(rig, 'second').join(), /^gpu [01], 2 threads$/)
    assert.equal(cluster.jobs().length, 2)
    assert.deepEqual(rig.notices(), ['SLURM_QUEUED', 'SLURM_QUEUED'])
    assert.deepEqual(ordersIn(rig), [])
    assert.deepEqual(await rig.outcomes(two, slurm), ['first: fresh', 'second: fresh'])
    assert.deepEqual(await rig.outcomes(two), ['first: fresh', 'second: fresh'])
  })
})
