import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codes } from '../../lib/util/codes/index.ts'
import { Place, outcomes } from './command.ts'

describe('mistakes of the user', () => {
  it('are all said at once: place, line, caret, what was expected and meant; exit code 2, nothing touched', async (t) => {
    const place = new Place(t)
    place.write('corpus.txt', 'text')
    place.write(
      'pipeline.yaml',
      `version: 1
params:
  distill: { temperature: 2 }
stages:
  download:
    cmd: [cp, '\${in.corpus}', '\${out.corpus}']
    in: { corpus: corpus.text }
    out: [corpus]
  distill:
    cmd: [node, '\${with.temprature}']
    in: { corpus: downlaod.corpus }
    with: { temperature: '\${distill.temprature}' }
    timout: 3
`,
    )
    const { code, out, errors } = await place.run('run')
    assert.equal(code, 2)
    assert.equal(out, '')
    assert.equal(
      errors,
      `error: pipeline.yaml:7:19: There is no stage output and no file "corpus.text". Did you mean "corpus.txt"? [INPUT_MISSING]
  7 |     in: { corpus: corpus.text }
    |                   ^
error: pipeline.yaml:10:18: "\${with.temprature}" names nothing in \`with:\`. Did you mean "temperature"? [REFERENCE_INVALID]
  10 |     cmd: [node, '\${with.temprature}']
     |                  ^
error: pipeline.yaml:11:19: There is no stage "downlaod" and no file "downlaod.corpus". Did you mean "download.corpus"? [STAGE_UNKNOWN]
  11 |     in: { corpus: downlaod.corpus }
     |                   ^
error: pipeline.yaml:12:27: There is no parameter "distill.temprature". Did you mean "\${distill.temperature}"? [PARAM_UNKNOWN]
  12 |     with: { temperature: '\${distill.temprature}' }
     |                           ^
error: pipeline.yaml:13:5: "timout" is not a key of a stage. Did you mean "timeout"? It has: run, cmd, in, with, out, matrix, resources, env, timeout, tolerance, retries, shards, executor, slurm. [KEY_UNKNOWN]
  13 |     timout: 3
     |     ^
`,
    )
    assert.ok(!place.has('artifacts'))
  })

  it('a cycle, two owners and a reserved name', async (t) => {
    const place = new Place(t)
    place.write(
      'pipeline.yaml',
      `version: 1
stages:
  a: { cmd: [node], in: { x: b.o }, out: [o, o] }
  b: { cmd: [node], in: { x: a.o }, out: [o] }
  store: { cmd: [node] }
`,
    )
    const { code, errors } = await place.run('run')
    assert.equal(code, 2)
    assert.equal(
      errors,
      `error: pipeline.yaml:3:25: The stages form a cycle, each reading from the next: a → b → a. Remove one of these inputs. [STAGE_CYCLE]
  3 |   a: { cmd: [node], in: { x: b.o }, out: [o, o] }
    |                         ^
error: pipeline.yaml:3:46: The output "o" overlaps "o" of pipeline.yaml:3:43. Give each output a file or folder of its own, outside the others. [OUTPUT_COLLISION]
  3 |   a: { cmd: [node], in: { x: b.o }, out: [o, o] }
    |                                              ^
error: pipeline.yaml:5:3: A stage cannot be named "store": artifacts/store is the pipeline's own. Rename it. [NAME_RESERVED]
  5 |   store: { cmd: [node] }
    |   ^
`,
    )
  })

  it('end `run --json` with the line that always comes last', async (t) => {
    const place = new Place(t)
    const { code, lines, last } = await place.lines()
    assert.equal(code, 2)
    assert.deepEqual(last, { type: 'finished', experiment: null, stages: [], metrics: {} })
    const failure = lines[0]?.failure as { code: string; message: string; exitCode: number }
    assert.deepEqual([lines.length, failure.code, failure.exitCode], [2, 'FILE_MISSING', 2])
  })

  it('in the arguments: an unknown command, option, stage, parameter, number or hash is exit code 2', async (t) => {
    const place = new Place(t)
    place.write('pipeline.yaml', 'version: 1\nparams: { a: 1 }\nstages:\n  s: { cmd: [node, "${a}"] }\n')
    const cases: [string[], RegExp][] = [
      [['runn'], /unknown command 'runn'/],
      [['run', '--dryrun'], /unknown option '--dryrun'/],
      [['run', '--jobs', '0'], /whole number from 1/],
      [['run', 'nothing'], /There is no stage "nothing"/],
      [['run', '--set', 'b=1'], /error: --set: There is no parameter "b" to set/],
      [['run', '-p', 'none.yaml'], /There is no file "none\.yaml"/],
      [['show', 'abc'], /No experiment's hash begins with "abc"/],
      [['pin', 'abc'], /No experiment's hash begins with "abc"/],
      [['report'], /No experiment here has a page/],
    ]
    for (const [args, message] of cases) {
      const { code, errors, out } = await place.run(...args)
      assert.deepEqual([args.join(' '), code, out], [args.join(' '), 2, ''])
      assert.match(errors, message)
    }
  })
})

describe('the other commands', () => {
  it('help lists every command, and each but help speaks JSON', async (t) => {
    const place = new Place(t)
    place.write(
      'pipeline.yaml',
      'version: 1\nstages:\n  a: { cmd: [sh, -c, "echo x > $0", "${out.o}"], out: [o] }\n  b: { cmd: [node], in: { o: a.o }, matrix: { k: [1, 2] } }\n',
    )
    const { out, code } = await place.run('help')
    assert.equal(code, 0)
    const commands = [
      'run',
      'status',
      'explain',
      'list',
      'show',
      'diff',
      'graph',
      'report',
      'pin',
      'tag',
      'log',
      'generate',
      'logits',
      'score',
      'doctor',
      'help',
    ]
    for (const command of commands) assert.match(out, new RegExp(`^ +${command}\\b`, 'm'))
    assert.match(
      (await place.run('graph')).out,
      /^flowchart TD\n {2}s0\["a"\]\n {2}s1\["b × 2"\]\n {2}s0 -->\|o\| s1\n$/,
    )
    const json = async (...args: string[]): Promise<Record<string, unknown>> =>
      JSON.parse((await place.run(...args, '--json')).out) as Record<string, unknown>
    assert.equal((await json('status')).type, 'status')
    assert.deepEqual(await json('graph'), {
      stages: [
        { name: 'a', cells: 1 },
        { name: 'b', cells: 2 },
      ],
      edges: [{ from: 'a', to: 'b', outputs: ['o'] }],
    })
    const { last } = await place.lines('a')
    const { experiments } = (await json('list')) as { experiments: { hash: string }[] }
    assert.deepEqual(
      experiments.map(({ hash }) => hash),
      [last.experiment],
    )
    assert.equal((await json('show', String(last.experiment).slice(0, 8))).hash, last.experiment)
    assert.ok(Array.isArray((await json('report')).failures))
    assert.equal((await json('pin', String(last.experiment))).inGit, false)
  })

  it('more memory than the machine has is refused by every command that would run it; with a result it is fresh', async (t) => {
    const place = new Place(t)
    const write = (memory: string): void => {
      place.write(
        'pipeline.yaml',
        `version: 1
stages:
  small: { cmd: [sh, -c, 'echo a > "$0"; echo >> ran', '\${out.o}'], out: [o] }
  large:
    cmd: [cp, '\${in.i}', '\${out.o}']
    in: { i: small.o }
    out: [o]
    resources: { memory: ${memory} }
`,
      )
    }
    write('1048576 GiB')
    for (const args of [['run'], ['run', '--dry-run']]) {
      const { code, out, errors } = await place.run(...args)
      assert.deepEqual([code, out, place.has('ran'), place.has('artifacts')], [2, '', false, false])
      assert.match(
        errors,
        /^error: pipeline\.yaml:4:3: Stage "large" asks for 1048576\.0 GiB of memory, and this machine has \d+\.\d GiB\. Run it on a larger one, or lower its `resources\.memory`\. \[MEMORY_TOO_LARGE\]\n {2}4 \| {3}large:/,
      )
    }
    assert.equal((await place.run('run', 'small')).code, 0, 'it is not asked for')
    write('1 MiB')
    assert.equal((await place.run('run')).code, 0)
    write('1048576 GiB')
    assert.deepEqual(outcomes((await place.lines()).last), ['small: fresh', 'large: fresh'], 'it was made elsewhere')
  })

  it('help explains a command, or the code of a message', async (t) => {
    const place = new Place(t)
    assert.match((await place.run('help', 'tag')).out, /^Usage: pipeline tag /)
    const explained = await place.run('help', 'KEY_UNKNOWN')
    const { means, cause, advice } = codes.KEY_UNKNOWN
    assert.equal(explained.out, `KEY_UNKNOWN\n\n${means}\n\nUsual cause: ${cause}\n\nWhat to do: ${advice}\n`)
    const { code, errors } = await place.run('help', 'KEY_UNKOWN')
    assert.deepEqual([code, errors], [2, 'error: "KEY_UNKOWN" is no command and no code of a message. Did you mean "KEY_UNKNOWN"? [TOPIC_UNKNOWN]\n']) // prettier-ignore
  })

  it('--version is answered without loading the rest', async (t) => {
    const place = new Place(t)
    const { out, code } = await place.run('--version')
    assert.match(out, /^\d+\.\d+\.\d+\n$/)
    assert.equal(code, 0)
  })
})
