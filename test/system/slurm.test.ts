import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import type { Stage } from '../../lib/pipeline/pipeline.ts'
import { drive } from '../pipeline/drive.ts'
import { Lines } from '../pipeline/lines.ts'
import { Rig, module, outcomesOf, shell, stage, until } from '../pipeline/rig.ts'
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
/** Runs until there is a file, with one line before. */
const held = (rig: Rig): string =>
  `echo begun; until [ -e "${rig.path('release')}" ]; do sleep 0.1; done; echo made > "$PIPELINE_OUT_TEXT"`
const cells = (count: number, script = 'echo "$PIPELINE_WITH" > "$PIPELINE_OUT_TEXT"'): Stage[] =>
  Array.from({ length: count }, (_, i) =>
    stage(`cell[${i}]`, shell(script), { with: { i }, cell: { i: String(i) }, ...text, executor: 'slurm' }),
  )

describe('stages as jobs of Slurm', { timeout: 600_000 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start(['MaxArraySize=8'])
  })
  after(() => cluster.stop())

  const rigWith = (t: TestContext): Rig => {
    const rig = new Rig(t)
    rig.write('input.txt', 'text')
    return rig
  }
  const logOf = (rig: Rig, id: string): string[] =>
    rig.events.flatMap((event) => (event.type === 'stage-log' && event.stage === id ? [event.line] : []))
  const ordersIn = (rig: Rig): string[] =>
    readdirSync(rig.path('artifacts/store/.jobs')).filter((name) => /^[0-9a-f]{12}$/.test(name))
  const isBegun = (rig: Rig) => (): boolean => rig.events.some((event) => event.type === 'stage-log')
  const failureOf = async (rig: Rig, stages: readonly Stage[]) => {
    const { failures } = await rig.run(stages, slurm)
    assert.equal(failures.length, 1)
    return failures[0]!
  }

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
    const before = cluster.jobs().length
    assert.deepEqual(await rig.outcomes(two, slurm), ['first: ran', 'second: ran'])
    assert.equal(rig.read('artifacts/second/text.txt'), 'text')
    assert.match(logOf(rig, 'second').join(), /^gpu [01], 2 threads$/)
    assert.equal(cluster.jobs().length, before + 2)
    assert.deepEqual(rig.notices(), ['SLURM_QUEUED', 'SLURM_QUEUED'])
    assert.deepEqual(ordersIn(rig), [])
    assert.deepEqual(await rig.outcomes(two, slurm), ['first: fresh', 'second: fresh'])
    assert.deepEqual(await rig.outcomes(two), ['first: fresh', 'second: fresh'])
  })

  it('hands in the cells of a matrix as arrays, no larger than the cluster takes', async (t) => {
    const rig = rigWith(t)
    const before = cluster.jobs().length
    assert.equal((await rig.outcomes(cells(10))).join().match(/ran/g)!.length, 10)
    assert.deepEqual(rig.notices(), ['SLURM_QUEUED', 'SLURM_QUEUED'])
    assert.equal(cluster.jobs().length, before + 10)
    for (const i of [0, 9]) assert.equal(rig.read(`artifacts/cell/${i}/text.txt`), `{"i":${i}}\n`)
    assert.deepEqual(ordersIn(rig), [])
  })

  it('says what a job says while it runs, and why it failed', async (t) => {
    const rig = rigWith(t)
    const run = rig.run([stage('held', shell(`${held(rig)}; exit 3`), text)], slurm)
    await until(isBegun(rig), t)
    rig.write('release', '')
    const [failure] = (await run).failures
    assert.deepEqual([failure!.code, failure!.exitCode], ['COMMAND_FAILED', 1])
    assert.match(failure!.message, /exit code 3/)
    const end = rig.events.find((event) => event.type === 'failure')
    assert.match(rig.read(end!.log!.slice(rig.root.length + 1)), /begun/)
  })

  it('goes on with the jobs of a driver that died', async (t) => {
    const rig = rigWith(t)
    const stages = [stage('held', shell(held(rig)), { ...text, executor: 'slurm' }), ...cells(3, held(rig))]
    const driver = await drive(rig, stages)
    await driver.hears(({ type }) => type === 'stage-log')
    driver.child.kill('SIGKILL')
    await driver.ended
    const before = cluster.jobs().length
    const run = rig.run(stages)
    await until(() => rig.notices().includes('SLURM_ADOPTED'), t)
    rig.write('release', '')
    assert.deepEqual(
      outcomesOf((await run).finished.stages)
        .join()
        .match(/ran/g)?.length,
      4,
    )
    assert.deepEqual(rig.notices(), ['SLURM_ADOPTED'])
    assert.equal(cluster.jobs().length, before)
    assert.deepEqual(ordersIn(rig), [])
  })

  it('finds the results of jobs that ended while no driver was there', async (t) => {
    const rig = rigWith(t)
    const stages = [stage('held', shell(held(rig)), { ...text, executor: 'slurm' })]
    const driver = await drive(rig, stages)
    await driver.hears(({ type }) => type === 'stage-log')
    driver.child.kill('SIGKILL')
    rig.write('release', '')
    await cluster.until(() => !cluster.jobs().some((job) => /RUN|PEND|COMPLETING/.test(job)))
    assert.deepEqual(await rig.outcomes(stages), ['held: restored'])
  })

  it('runs what was handed in, whatever is edited or removed afterwards', async (t) => {
    const rig = rigWith(t)
    const code = (word: string): string =>
      `import { writeFileSync } from 'node:fs'
export default { params: { type: 'object', additionalProperties: false, properties: {} }, in: [], out: ['text'],
  async run({ out }) { writeFileSync(out.text, '${word}') } }`
    rig.write('stages/a.ts', code('before'))
    const options = { slurm: { options: ['--hold'] } }
    const run = rig.run([stage('a', module('stages/a.ts'), { ...text, ...options })], slurm)
    await until(() => rig.notices().includes('SLURM_QUEUED'), t)
    rig.write('stages/a.ts', code('after'))
    rmSync(rig.path('node_modules'), { recursive: true })
    execFileSync('scontrol', [
      'release',
      cluster
        .jobs()
        .find((job) => job.includes('PENDING'))!
        .split(' ')[0]!,
    ])
    await run
    assert.equal(rig.read('artifacts/a/text.txt'), 'before')
  })

  it('stops its jobs at Ctrl-C, which go on from their checkpoints then', async (t) => {
    const rig = rigWith(t)
    const script = `if [ -e "$PIPELINE_CHECKPOINT/half" ]; then echo whole > "$PIPELINE_OUT_TEXT"; exit; fi
      trap 'touch "$PIPELINE_CHECKPOINT/half"; exit 1' TERM; echo begun; while :; do sleep 0.1; done`
    const stages = [
      stage('slow', shell(script), text),
      stage('waits', shell('true'), { ...text, slurm: { options: ['--hold'] } }),
    ]
    const stop = new AbortController()
    const run = rig.run(stages, { ...slurm, signal: stop.signal })
    await until(isBegun(rig), t)
    stop.abort()
    assert.deepEqual(
      (await run).failures.map(({ code }) => code),
      ['STAGE_CANCELLED', 'STAGE_CANCELLED'],
    )
    assert.deepEqual(
      cluster
        .jobs()
        .slice(-2)
        .map((job) => job.split(' ')[1]),
      ['CANCELLED', 'CANCELLED'],
    )
    assert.deepEqual(await rig.outcomes(stages.slice(0, 1), slurm), ['slow: ran'])
  })

  it('says that a job was cancelled from outside, and does not hand it in again', async (t) => {
    const rig = rigWith(t)
    const run = failureOf(rig, [stage('held', shell(held(rig)), { ...text, retries: { times: 3, backoffSeconds: 0 } })])
    await until(isBegun(rig), t)
    execFileSync('scancel', [cluster.jobs().at(-1)!.split(' ')[0]!])
    assert.equal((await run).code, 'SLURM_CANCELLED')
    assert.deepEqual(rig.notices(), ['SLURM_QUEUED'])
  })

  it('goes on on another node where one fails', async (t) => {
    const rig = rigWith(t)
    const run = rig.run([stage('held', shell(held(rig)), { ...text, slurm: { options: ['--nodelist=n1'] } })], slurm)
    await until(isBegun(rig), t)
    cluster.failNode('n1')
    await cluster.until(() => cluster.nodes().some((state) => state.startsWith('down')))
    rig.write('release', '')
    cluster.startNode('n1')
    assert.deepEqual((await run).failures, [])
    assert.deepEqual(rig.notices(), ['SLURM_QUEUED', 'SLURM_REQUEUED'])
  })

  it('goes on after it made room for another job', async (t) => {
    const rig = rigWith(t)
    const whole = { resources: { gpu: 0, cpu: 2, memory: 0 }, slurm: { options: ['--nodelist=n2'] } }
    const run = rig.run([stage('held', shell(held(rig)), { ...text, ...whole })], slurm)
    await until(isBegun(rig), t)
    const waits = cluster.jobs().at(-1)!.replace('RUNNING', 'PENDING')
    execFileSync('sbatch', ['-p', 'urgent', '-w', 'n2', '-c', '2', '-o', '/dev/null', '--wrap', 'true'])
    await cluster.until(() => cluster.jobs().includes(waits))
    rig.write('release', '')
    assert.deepEqual((await run).failures, [])
    assert.deepEqual(rig.notices(), ['SLURM_QUEUED', 'SLURM_REQUEUED'])
  })

  it('says that a job took too much memory, and how much it had asked for', async (t) => {
    const script = `${process.execPath} -e 'const a=[];setInterval(()=>a.push(Buffer.alloc(5e7,1)),50)'`
    const asked = { resources: { gpu: 0, cpu: 1, memory: 100 * 2 ** 20 } }
    const failure = await failureOf(rigWith(t), [stage('large', shell(script), { ...text, ...asked })])
    assert.equal(failure.code, 'SLURM_OUT_OF_MEMORY')
    assert.match(failure.message, /it asked for 100 MiB\. Raise its `resources\.memory`/)
  })

  it('refuses what no partition has, before anything runs, and names those that there are', async (t) => {
    const rig = rigWith(t)
    const wrong = [two[0]!, { ...two[1]!, slurm: { partition: 'gpus' } }]
    await assert.rejects(rig.run(wrong, slurm), {
      ...{ code: 'SLURM_REFUSED', exitCode: 2 },
      message: /stage "second".*invalid partition specified: gpus.*There are the partitions "main", "urgent"\./,
    })
    assert.deepEqual(rig.events, [])
    const large = [{ ...two[0]!, resources: { gpu: 3, cpu: 1, memory: 0 } }]
    await assert.rejects(rig.run(large, slurm), {
      code: 'SLURM_REFUSED',
      message: /node configuration is not available/,
    })
  })

  it('says that jobs are held, and runs them when they are let go', async (t) => {
    const rig = rigWith(t)
    const cells = ['a', 'b'].map((cell) =>
      stage(`held[${cell}]`, shell('echo made > "$PIPELINE_OUT_TEXT"'), {
        ...{ cell: { cell }, with: { cell }, ...text, slurm: { options: ['--hold'] } },
      }),
    )
    const run = rig.run(cells, slurm)
    await until(() => rig.notices().includes('SLURM_HELD'), t)
    const said = rig.events.flatMap((event) => (event.type === 'notice' ? [event.message] : [])).join()
    assert.match(said, /"held\[[ab]\]" does not begin by itself, says Slurm: JobHeldUser\./)
    execFileSync('scontrol', /release \d+/.exec(said)![0].split(' '))
    assert.deepEqual((await run).failures, [])
    assert.deepEqual(rig.notices(), ['SLURM_QUEUED', 'SLURM_HELD'])
  })

  it('waits for a controller that is away', async (t) => {
    const rig = rigWith(t)
    const stages = [
      stage('held', shell(held(rig)), text),
      stage('after', shell(COPY), { in: { text: 'held.text' }, ...text }),
    ]
    const run = rig.run(stages, slurm)
    await until(isBegun(rig), t)
    await cluster.stopController()
    rig.write('release', '')
    await until(() => rig.notices().includes('SLURM_AWAY'), t)
    cluster.startController()
    assert.deepEqual((await run).failures, [])
    assert.equal(rig.read('artifacts/after/text.txt'), 'made\n')
  })
})
