import assert from 'node:assert/strict'
import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readSafetensors } from '../../lib/data/safetensors.ts'
import { FILL, Place, outcomes } from './command.ts'
import { writeLearner, writeModel } from './learner.ts'

describe('a wrong pipeline.yaml', () => {
  const cases: Readonly<Record<string, [string, string]>> = {
    'a wrong type': [
      `version: 1
stages:
  a: { cmd: node, in: [x], with: text }
  b: { cmd: [node], resources: { gpu: 1.5 }, timeout: 3 }
`,
      `error: pipeline.yaml:3:13: "stages.a.cmd" must be a list, found the text "node". \`cmd:\` is a program and its arguments, run without a shell; \`\${in.NAME}\`, \`\${out.NAME}\` and \`\${with.a}\` stand inside them. [VALUE_INVALID]
  3 |   a: { cmd: node, in: [x], with: text }
    |             ^
error: pipeline.yaml:3:23: "stages.a.in" must be a map, found a list. \`in:\` is name to source: \`stage.output\`, a path, \`file:PATH\`, \`builtin:NAME\`, \`hub:OWNER/REPO@REVISION\`, \`https://HOST/PATH#sha256=DIGEST\`. [VALUE_INVALID]
  3 |   a: { cmd: node, in: [x], with: text }
    |                       ^
error: pipeline.yaml:3:34: "stages.a.with" must be a map, found the text "text". \`with:\` is the parameters of this stage. [VALUE_INVALID]
  3 |   a: { cmd: node, in: [x], with: text }
    |                                  ^
error: pipeline.yaml:4:39: "stages.b.resources.gpu" must be a whole number, found 1.5. \`resources:\` is what the stage holds while it runs. [VALUE_INVALID]
  4 |   b: { cmd: [node], resources: { gpu: 1.5 }, timeout: 3 }
    |                                       ^
`,
    ],
    'two stages of one name': [
      'version: 1\nstages:\n  a: { cmd: [node] }\n  a: { cmd: [sh] }\n',
      `error: pipeline.yaml:4:3: The key "a" is written twice. It stands at pipeline.yaml:3:3 already. Remove one of the two. [KEY_DUPLICATE]
  4 |   a: { cmd: [sh] }
    |   ^
`,
    ],
    'parameters and outputs that a module does not have': [
      `version: 1
stages:
  a: { run: fill.ts, with: { megabytes: many }, out: [text] }
  b: { run: fill.ts, with: { megabites: 3 }, out: [text] }
  c: { run: fill.ts, out: [texts] }
`,
      `error: pipeline.yaml:3:41: Stage "a": "megabytes" must be number; found "many". [PARAMETER_INVALID]
  3 |   a: { run: fill.ts, with: { megabytes: many }, out: [text] }
    |                                         ^
error: pipeline.yaml:4:41: The module of stage "b" has no parameter "megabites"; did you mean "megabytes"? It has "megabytes". [PARAMETER_UNKNOWN]
  4 |   b: { run: fill.ts, with: { megabites: 3 }, out: [text] }
    |                                         ^
error: pipeline.yaml:5:22: Stage "c" makes the output "text": add it to \`out\`. [OUTPUT_ABSENT]
  5 |   c: { run: fill.ts, out: [texts] }
    |                      ^
error: pipeline.yaml:5:28: The module of stage "c" has no output "texts"; did you mean "text"? It has "text". [OUTPUT_UNKNOWN]
  5 |   c: { run: fill.ts, out: [texts] }
    |                            ^
`,
    ],
    'programs and files that are not there': [
      `version: 1
stages:
  a: { run: fil.ts, out: [text] }
  b: { cmd: [node], in: { x: pipelin.yaml } }
  c: { cmd: [node], in: { x: a.texts } }
`,
      `error: pipeline.yaml:3:13: There is no file "fil.ts" to run. Did you mean "fill.ts"? [PROGRAM_MISSING]
  3 |   a: { run: fil.ts, out: [text] }
    |             ^
error: pipeline.yaml:4:30: There is no stage output and no file "pipelin.yaml". Did you mean "pipeline.yaml"? [INPUT_MISSING]
  4 |   b: { cmd: [node], in: { x: pipelin.yaml } }
    |                              ^
error: pipeline.yaml:5:30: The stage "a" has no output "texts". Did you mean "a.text"? A file of that name is written "file:a.texts". [OUTPUT_UNKNOWN]
  5 |   c: { cmd: [node], in: { x: a.texts } }
    |                              ^
`,
    ],
  }
  for (const [what, [yaml, expected]] of Object.entries(cases)) {
    it(`${what}: exit code 2, nothing touched`, async (t) => {
      const place = new Place(t)
      place.write('fill.ts', FILL)
      place.write('pipeline.yaml', yaml)
      const { code, out, errors } = await place.run('run')
      assert.equal(errors, expected)
      assert.deepEqual([code, out], [2, ''])
      assert.ok(!place.has('artifacts'))
    })
  }
})

it('a mistake that all cells of a matrix share is said once, of the stage; one of a cell, of that cell', async (t) => {
  const place = new Place(t)
  place.write('fill.ts', FILL)
  place.write(
    'pipeline.yaml',
    `version: 1
stages:
  shared: { run: fill.ts, matrix: { n: [1, 2, 3] }, with: { megabytes: many }, out: [text] }
  own: { run: fill.ts, matrix: { n: [1, -2] }, with: { megabytes: '\${matrix.n}' }, out: [text] }
`,
  )
  const { code, errors } = await place.run('run')
  assert.deepEqual(
    errors.split('\n').flatMap((line) => /^error: \S+ (.*)$/.exec(line)?.slice(1) ?? []),
    [
      'Stage "shared": "megabytes" must be number; found "many". [PARAMETER_INVALID]',
      'Stage "own[-2]": "megabytes" must be >= 0; found -2. [PARAMETER_INVALID]',
    ],
  )
  assert.equal(code, 2)
})

it('losses that there are not, weights and shares that are none, are refused before anything runs', async (t) => {
  const place = new Place(t)
  await writeLearner(place)
  const variant = (name: string, loss: string): string =>
    `  ${name}: { run: stages/distill.ts, in: { student: student, tokens: tokenize.tokens }, with: { context: 16, ${loss} }, out: [student, curves] }\n`
  const losses = [
    'loss: forward-k',
    'loss: { forward-k: 1, mse-logits: -1 }',
    'loss: {}',
    'loss: 3',
    'beta: 1',
    'dropout: 1',
    'dropout: -0.1',
  ]
  const before = place.read('pipeline.yaml')
  place.write('pipeline.yaml', before + losses.map((loss, n) => variant(`loss-${n}`, loss)).join(''))
  const { code, errors } = await place.run('run')
  const names =
    'forward-kl|reverse-kl|jsd|symmetric-kl|skew-kl|skew-reverse-kl|total-variation|mse-logits|argmax-ce'.split('|')
  const known = names.map((name) => `"loss.${name}"`).join(', ')
  assert.deepEqual(
    errors.split('\n').flatMap((line) => /^error: \S+ (.*)$/.exec(line)?.slice(1) ?? []),
    [
      `Stage "loss-0": "loss" must be equal to one of the allowed values: ${JSON.stringify(names)}; found "forward-k". [PARAMETER_INVALID]`,
      `The module of stage "loss-1" has no parameter "loss.forward-k"; did you mean "loss.forward-kl"? It has ${known}. [PARAMETER_UNKNOWN]`,
      'Stage "loss-1": "loss.mse-logits" must be > 0; found -1. [PARAMETER_INVALID]',
      'Stage "loss-2": "loss" must NOT have fewer than 1 properties; found {}. [PARAMETER_INVALID]',
      'Stage "loss-3": "loss" must be string,object; found 3. [PARAMETER_INVALID]',
      'Stage "loss-4": "beta" must be < 1; found 1. [PARAMETER_INVALID]',
      'Stage "loss-5": "dropout" must be < 1; found 1. [PARAMETER_INVALID]',
      'Stage "loss-6": "dropout" must be >= 0; found -0.1. [PARAMETER_INVALID]',
    ],
  )
  assert.equal(code, 2)
})

describe('what the learner cannot use', () => {
  const cases: Readonly<Record<string, [(place: Place) => unknown, readonly string[], string, RegExp]>> = {
    'an empty split of the corpus': [
      (place) => place.write('corpus/validation.txt', ' \n'),
      [],
      'tokenize',
      /^error: pipeline\.yaml:8:3: Stage "tokenize": The validation split of the corpus is empty: "\S+validation\.txt" holds no text\. Give a corpus with text in each of train, validation, test\. \[CORPUS_EMPTY\]\n {2}8 \| {3}tokenize:\n/,
    ],
    'a context over the position table': [
      () => undefined,
      ['--set', 'context=64'],
      'teacher-logits',
      /^error: pipeline\.yaml:12:3: Stage "teacher-logits": The context is 64 tokens; the model's position table has 16\. Lower `context` or take another model\. \[CONTEXT_TOO_LONG\]/,
    ],
    'weights cut short': [
      (place) => cut(join(place.root, 'student', 'model.safetensors')),
      [],
      'download',
      /^error: pipeline\.yaml:4:3: Stage "download": "\S+student\/model\.safetensors" is cut short: tensor "transformer\.wte\.weight" ends at byte \d+, but the file has \d+ bytes\. Get it anew\. \[SAFETENSORS_TRUNCATED\]/,
    ],
    'a teacher with a smaller vocabulary': [
      (place) => writeModel(place, 'teacher', undefined, 11),
      [],
      'teacher-logits',
      /^error: pipeline\.yaml:12:3: Stage "teacher-logits": The model in "\S+teacher" does not fit the tokens: its embedding has 12 rows, the tokens' vocabulary 13\. Teacher and student must share one vocabulary: choose models of the same tokenizer\. \[VOCABULARY_DIFFERS\]/,
    ],
    'a teacher with a larger vocabulary': [
      (place) => writeModel(place, 'teacher', undefined, 14),
      [],
      'teacher-logits',
      /its tokenizer and the one that the text was encoded with differ \(15 and 13 tokens; \w{12} and \w{12}\)\. Teacher and student must share/,
    ],
  }
  for (const [what, [spoil, args, stage, message]] of Object.entries(cases)) {
    it(`${what}: the stage says so, exit code 1, and nothing of it is published`, { timeout: 120_000 }, async (t) => {
      const place = new Place(t)
      await writeLearner(place)
      await spoil(place)
      const { code, errors } = await place.run('run', ...args)
      assert.match(errors, message)
      assert.equal(code, 1)
      assert.ok(!place.has(`artifacts/${stage}`))
      assert.deepEqual(place.results(stage), [])
      const { last } = await place.lines(...args)
      assert.equal(last.experiment, null)
      const all = outcomes(last)
      const at = all.indexOf(`${stage}: failed`)
      assert.ok(
        all.slice(0, at).every((outcome) => outcome.endsWith(': fresh')),
        'what was made before it is kept',
      )
      assert.ok(all.slice(at + 1).every((outcome) => outcome.endsWith(': skipped')))
    })
  }

  it('a loss that is no number: the step is named, the last good checkpoint stays', { timeout: 120_000 }, async (t) => {
    const place = new Place(t)
    await writeLearner(place)
    const args = ['--set', 'rate=1000', '--set', 'warmup=1', '--set', 'steps=4000']
    const { child, ended } = place.start(['run', '--json', ...args])
    child.stdout!.on('data', (text: string) => {
      if (text.includes('"unit":"steps"')) child.kill('SIGINT')
    })
    assert.equal((await ended).code, 130)
    const stopped = checkpointOf(place)
    const { code, errors } = await place.run('run', ...args)
    const [, step] =
      /Stage "distill": After step (\d+) the .* is (?:NaN|Infinity)\. Lower `rate` or `clip`/.exec(errors) ?? []
    assert.equal(code, 1)
    assert.match(errors, new RegExp(`resumed after step ${stopped} of 4000`))
    const kept = checkpointOf(place)
    assert.ok(stopped <= kept && kept < Number(step), `${stopped}, ${kept}, ${step}`)
    assert.deepEqual(place.results('distill'), [])
  })
})

function cut(file: string): void {
  truncateSync(file, statSync(file).size - 10)
}

/** The step of the one checkpoint of the training, all of whose numbers are finite. */
function checkpointOf(place: Place): number {
  const store = join(place.root, 'artifacts', 'store', 'distill')
  const [folder] = readdirSync(store).filter((name) => name.startsWith('.checkpoint'))
  const read = readSafetensors(join(store, folder!, 'files', 'state.safetensors'))
  assert.ok(read.ok)
  for (const name of read.value.names) assert.ok(read.value.tensor(name).data().every(Number.isFinite), name)
  return (JSON.parse(read.value.metadata.get('progress')!) as { step: number }).step
}
