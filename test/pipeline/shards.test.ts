import assert from 'node:assert/strict'
import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { Rig, module, outcomesOf, shell, stage } from './rig.ts'

/** Doubles each line of a text; a line may be told to fail, by a file that is no input, and each run of a part is noted. */
const DOUBLE = (log: string, unit = 'lines') => `
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
const linesOf = (file) => readFileSync(file, 'utf8').trimEnd().split('\\n')
const double = (line) => {
  if (existsSync(${JSON.stringify(log)} + '.bad-' + line)) throw new Error('no ' + line)
  return line + line + '\\n'
}
export default {
  params: { type: 'object', properties: { mark: { type: 'string', default: '' } } },
  in: ['text'], out: ['text'],
  async run({ in: from, out }) {
    appendFileSync(${JSON.stringify(log)}, 'all\\n')
    writeFileSync(out.text, linesOf(from.text).map(double).join(''))
  },
  shards: {
    unit: '${unit}',
    units: ({ in: from }) => linesOf(from.text).length,
    async run({ in: from, range, part, ranOn, checkpoint }) {
      appendFileSync(${JSON.stringify(log)}, range.from + '-' + range.to + '\\n')
      ranOn('test')
      writeFileSync(part, linesOf(from.text).slice(range.from, range.to).map(double).join(''))
    },
    async merge({ in: from, parts, out }) {
      appendFileSync(${JSON.stringify(log)}, 'merge\\n')
      if (Object.keys(from).join() !== 'text') throw new Error('inputs ' + Object.keys(from))
      writeFileSync(out.text, parts.map((part) => readFileSync(part, 'utf8')).join(''))
    },
  },
}`

class Lines extends Rig {
  readonly log: string

  constructor(context: TestContext, count: number) {
    super(context)
    this.log = this.path('log')
    this.write('double.ts', DOUBLE(this.log))
    this.write('input.txt', Array.from({ length: count }, (_, n) => `l${n}\n`).join(''))
  }

  stages(shards: number | undefined) {
    const more = { in: { text: 'first.text' }, out: { text: 'text.txt' }, shards }
    return [
      stage('first', shell('cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'), {
        in: { text: './input.txt' },
        out: { text: 'text.txt' },
      }),
      stage('double', module('double.ts'), more),
      stage('last', shell('cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'), {
        in: { text: 'double.text' },
        out: { text: 'text.txt' },
      }),
    ]
  }

  /** What was worked on since the last look, sorted. */
  worked(): string[] {
    const lines = existsSync(this.log) ? this.read('log').trimEnd().split('\n') : []
    rmSync(this.log, { force: true })
    return lines.sort()
  }

  /** How parts ended, as the events say. */
  parts(): string[] {
    return this.events.flatMap((event) =>
      event.type === 'stage-finished' && event.name.includes('[shard') ? `${event.name}: ${event.outcome}` : [],
    )
  }

  get folder(): string {
    return readdirSync(this.path('artifacts', 'store')).find((name) => name.startsWith('double@'))!
  }

  /** Without the result, as if it had not been merged. */
  unmerge(): void {
    rmSync(this.path('artifacts', 'store', 'double'), { recursive: true })
  }
}

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
  assert.equal(await shardsOf(4), null)
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
    await assert.rejects(rig.run([stage('s', program, { shards: 2, places })]), {
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
