import assert from 'node:assert/strict'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { Lines } from '../pipeline/lines.ts'
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

  it('makes the parts of a stage as one array, and what another executor made of them is taken', async (t) => {
    const rig = new Lines(t, 8)
    writeFileSync(`${rig.log}.bad-l5`, '')
    await rig.run(rig.stages(4), { ...slurm, keepGoing: true })
    assert.deepEqual(rig.worked(), ['0-2', '2-4', '4-6', '6-8'])
    const queued = rig.events.flatMap((event) => (event.type === 'notice' ? [event.message] : []))
    assert.ok(
      queued.some((message) => message.includes('4 tasks')),
      queued.join(),
    )
    rmSync(`${rig.log}.bad-l5`)
    assert.deepEqual(await rig.outcomes(rig.stages(4), slurm), ['first: fresh', 'double: ran', 'last: ran'])
    assert.deepEqual(rig.worked(), ['4-6', 'merge'])
    assert.equal(rig.read('artifacts/double/text.txt'), Array.from({ length: 8 }, (_, n) => `l${n}l${n}\n`).join(''))
    assert.deepEqual(ordersIn(rig), [])
  })

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
