import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { Rig, module, shell, stage } from './rig.ts'
import type { Stage } from '../../lib/pipeline/pipeline.ts'

const COPY = 'cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'
const copy = (script = COPY): Stage =>
  stage('copy', shell(script), { in: { text: './input.txt' }, out: { text: 'text.txt' } })

function rigWithInput(t: TestContext): Rig {
  const rig = new Rig(t)
  rig.write('input.txt', 'abc')
  return rig
}

test('a result cannot be written by who reads it; a stale file of the last run is gone', async (t) => {
  const rig = rigWithInput(t)
  const many = (names: string) => [
    stage('many', shell(`mkdir "$PIPELINE_OUT_ALL"; cd "$PIPELINE_OUT_ALL"; touch ${names}`), { out: { all: 'all' } }),
  ]
  await rig.run(many('a b'))
  assert.equal(statSync(rig.path('artifacts/many/all/a')).mode & 0o777, 0o444)
  assert.equal(statSync(rig.path('artifacts/many/all')).mode & 0o777, 0o755)
  await rig.run(many('c'))
  assert.deepEqual(readdirSync(rig.path('artifacts/many/all')), ['c'])
  assert.deepEqual(await rig.outcomes(many('a b')), ['many: restored'])
  assert.deepEqual(readdirSync(rig.path('artifacts/many/all')), ['a', 'b'])
})

const DAMAGES: Readonly<Record<string, (file: string, folder: string) => void>> = {
  'changed in place': (file) => writeFileSync(file, 'xyz'),
  'cut short': (file) => truncateSync(file, 1),
  lost: (file) => rmSync(file),
  'with its manifest cut': (_, folder) => truncateSync(join(folder, 'manifest.json'), 100),
  'without its manifest': (_, folder) => rmSync(join(folder, 'manifest.json')),
  'with a flipped letter in its manifest': (_, folder) => flip(join(folder, 'manifest.json')),
}

function flip(file: string): void {
  const { readFileSync } = process.getBuiltinModule('node:fs')
  const text = readFileSync(file, 'utf8')
  chmodSync(file, 0o644)
  writeFileSync(file, text.replace('"seconds": ', '"seconds": 1'))
}

for (const [what, damage] of Object.entries(DAMAGES)) {
  test(`a result ${what} behind the store's back is noticed, said, kept aside and made anew`, async (t) => {
    const rig = rigWithInput(t)
    await rig.run([copy()])
    const folder = realpathSync(rig.path('artifacts/copy'))
    chmodSync(join(folder, 'text.txt'), 0o644)
    chmodSync(join(folder, 'manifest.json'), 0o644)
    damage(join(folder, 'text.txt'), folder)
    const [plan] = await rig.plan([copy()])
    assert.equal(plan?.state, 'run')
    assert.match(plan.reason, /damaged/)
    assert.deepEqual(await rig.outcomes([copy()]), ['copy: ran'])
    assert.deepEqual(rig.notices(), ['RESULT_DAMAGED'])
    assert.equal(rig.read('artifacts/copy/text.txt'), 'abc')
    assert.equal(readdirSync(rig.path('artifacts/store/.aside')).length, 1)
    assert.deepEqual(await rig.outcomes([copy()]), ['copy: fresh'])
  })
}

test('what a user put in the place of a stage is moved aside, never deleted; a deleted link is restored', async (t) => {
  const rig = rigWithInput(t)
  await rig.run([copy()])
  rmSync(rig.path('artifacts/copy'))
  assert.deepEqual(await rig.outcomes([copy()]), ['copy: restored'])
  rmSync(rig.path('artifacts/copy'))
  rig.write('artifacts/copy/mine.txt', 'precious')
  assert.deepEqual(await rig.outcomes([copy()]), ['copy: restored'])
  assert.deepEqual(rig.notices(), ['MOVED_ASIDE'])
  const [aside] = readdirSync(rig.path('artifacts/store/.aside'))
  assert.equal(rig.read(`artifacts/store/.aside/${aside!}/mine.txt`), 'precious')
  rmSync(rig.path('artifacts/copy'))
  mkdirSync(rig.path('elsewhere'))
  symlinkSync('../elsewhere', rig.path('artifacts/copy'))
  await rig.run([copy()])
  assert.deepEqual(rig.notices(), ['MOVED_ASIDE'])
})

test('a stage gets a matrix and loses it: links become folders of links and back', async (t) => {
  const rig = rigWithInput(t)
  const cells = ['a', 'b/c'].map((model) => ({
    ...copy(`${COPY}; echo ${model} >> "$PIPELINE_OUT_TEXT"`),
    id: `copy[${model}]`,
    cell: { model },
  }))
  await rig.run([copy()])
  await rig.run(cells)
  assert.equal(rig.read('artifacts/copy/b%2Fc/text.txt'), 'abcb/c\n')
  assert.deepEqual(await rig.outcomes([copy()]), ['copy: restored'])
  assert.deepEqual(rig.notices(), [])
  assert.ok(lstatSync(rig.path('artifacts/copy')).isSymbolicLink())
})

test('two cells with one key: one runs, the other shares', async (t) => {
  const rig = rigWithInput(t)
  const cells = ['a', 'b'].map((model) => ({
    ...copy(`echo x >> count; ${COPY}`),
    id: `copy[${model}]`,
    cell: { model },
  }))
  const outcomes = await rig.outcomes(cells)
  assert.deepEqual(outcomes.toSorted(), ['copy[a]: ran', 'copy[b]: restored'].toSorted())
  assert.equal(rig.read('count'), 'x\n')
})

const failures: Readonly<Record<string, [Stage, string]>> = {
  'a declared output that is missing after exit 0': [copy('true'), 'OUTPUT_MISSING'],
  'an exit code other than 0': [copy(`${COPY}; exit 3`), 'COMMAND_FAILED'],
  'a program that is not there': [
    stage('copy', { kind: 'command', argv: [[{ kind: 'text', text: 'no-such-program' }]] }),
    'STAGE_FAILED',
  ],
  'an output that is a link out of the result': [copy('ln -s /etc/passwd "$PIPELINE_OUT_TEXT"'), 'OUTPUT_LINK'],
  'a FIFO in an output': [copy('mkdir "$PIPELINE_OUT_TEXT"; mkfifo "$PIPELINE_OUT_TEXT/p"'), 'INPUT_SPECIAL'],
  'a time-out': [{ ...copy(`${COPY}; sleep 60`), timeoutSeconds: 0.2 }, 'STAGE_TIMEOUT'],
  'an input that it wrote to': [copy(`${COPY}; echo more >> input.txt`), 'INPUT_CHANGED'],
}

for (const [what, [failing, code]] of Object.entries(failures)) {
  test(`${what} is a failure, named, and never a hit`, async (t) => {
    const rig = rigWithInput(t)
    await rig.run([copy(`${COPY} # good`)])
    for (let i = 0; i < 2; i++) {
      rig.write('input.txt', 'abc')
      const { finished, failures } = await rig.run([failing])
      assert.equal(finished.stages[0]?.outcome, 'failed')
      assert.equal(finished.experiment, null)
      assert.deepEqual(
        failures.map((failure) => failure.code),
        [code],
      )
    }
    const partial = readdirSync(rig.path('artifacts/store/copy')).filter((name) => name.startsWith('.'))
    assert.deepEqual(
      partial.map((name) => name.replace(/-.*/, '')).toSorted(),
      partial.some((name) => name.startsWith('.checkpoint')) ? ['.checkpoint', '.failed'] : ['.failed'],
    )
    rig.write('input.txt', 'abc')
    assert.deepEqual(await rig.outcomes([copy(`${COPY} # good`)]), ['copy: fresh'], 'the last good outputs still stand')
  })
}

test('a stage that writes into the result of another is caught, and that result is made anew', async (t) => {
  const rig = rigWithInput(t)
  rig.write('armed', '')
  const vandal = stage(
    'vandal',
    shell('[ -e armed ] && chmod u+w "$PIPELINE_IN_TEXT" && echo x >> "$PIPELINE_IN_TEXT"; touch "$PIPELINE_OUT_TEXT"'),
    {
      in: { text: 'copy.text' },
      out: { text: 'text.txt' },
    },
  )
  const { failures } = await rig.run([copy(), vandal])
  assert.deepEqual(
    failures.map((failure) => failure.code),
    ['INPUT_CHANGED'],
  )
  rmSync(rig.path('armed'))
  assert.deepEqual(await rig.outcomes([copy(), vandal]), ['copy: ran', 'vandal: ran'])
  assert.equal(rig.read('artifacts/copy/text.txt'), 'abc')
})

test('a hard link that a stage keeps to its output cannot poison the store unseen', async (t) => {
  const rig = rigWithInput(t)
  const linking = copy(`${COPY}; ln -f "$PIPELINE_OUT_TEXT" kept`)
  await rig.run([linking])
  chmodSync(rig.path('kept'), 0o644)
  writeFileSync(rig.path('kept'), 'xyz')
  assert.deepEqual(await rig.outcomes([linking]), ['copy: ran'])
  assert.equal(rig.read('artifacts/copy/text.txt'), 'abc')
})

test('one key with two different outputs: the first stays, the difference is told', async (t) => {
  const rig = rigWithInput(t)
  const random = copy('date +%N > "$PIPELINE_OUT_TEXT"')
  await rig.run([random])
  const first = rig.read('artifacts/copy/text.txt')
  assert.deepEqual(await rig.outcomes([random], { force: true }), ['copy: ran'])
  assert.deepEqual(rig.notices(), ['NOT_DETERMINISTIC'])
  assert.equal(rig.read('artifacts/copy/text.txt'), first)
  await rig.run([copy()])
  await rig.run([copy()], { force: ['copy'] })
  assert.deepEqual(rig.notices(), [])
})

test('a stage without outputs always runs, and the plan says so', async (t) => {
  const rig = rigWithInput(t)
  const silent = [stage('silent', shell('echo x >> count'))]
  for (const count of [1, 2]) {
    const [plan] = await rig.plan(silent)
    assert.deepEqual([plan?.state, plan?.reason], ['run', 'it has no outputs, so it always runs'])
    assert.deepEqual(await rig.outcomes(silent), ['silent: ran'])
    assert.equal(rig.read('count'), 'x\n'.repeat(count))
  }
})

test('a checkpoint outlives a failure, serves its own key alone, and goes when the stage succeeds', async (t) => {
  const rig = rigWithInput(t)
  rig.write(
    'steps.ts',
    `import { existsSync, readFileSync, writeFileSync } from 'node:fs'
export default { params: { type: 'object', properties: { seed: { type: 'integer', default: 0 } } }, in: [], out: ['text'], async run({ out, checkpoint }) {
  const file = checkpoint + '/step'
  const step = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
  writeFileSync(file, String(step + 1))
  if (step < 1) throw new Error('not yet')
  writeFileSync(out.text, String(step))
} }`,
  )
  const steps = (seed: number) => [stage('steps', module('steps.ts'), { out: { text: 'text.txt' }, with: { seed } })]
  const failed = await rig.run(steps(1))
  const key = failed.finished.stages[0]!.key!
  const folder = rig.path('artifacts/store/steps')
  renameSync(join(folder, `.checkpoint-${key}`), join(folder, 'other'))
  const { finished } = await rig.run(steps(2))
  assert.equal(finished.stages[0]?.outcome, 'failed', 'another key starts at the beginning')
  rmSync(join(folder, `.checkpoint-${finished.stages[0].key!}`), { recursive: true })
  renameSync(join(folder, 'other'), join(folder, `.checkpoint-${finished.stages[0].key!}`))
  assert.deepEqual(await rig.outcomes(steps(2)), ['steps: failed'])
  assert.deepEqual(rig.notices(), ['CHECKPOINT_REFUSED'])
  assert.deepEqual(await rig.outcomes(steps(2)), ['steps: ran'])
  assert.equal(rig.read('artifacts/steps/text.txt'), '1')
  assert.ok(!existsSync(join(folder, `.checkpoint-${finished.stages[0].key!}`)))
})
