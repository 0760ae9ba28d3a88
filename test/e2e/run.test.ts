import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Place, outcomes } from './command.ts'

/** Three stages, one of them with two cells; the last makes metrics and a page. */
const TOY = `version: 1
metrics: report.metrics
page: report.page
params:
  word: a
  times: [2, 3]
stages:
  first:
    cmd: [sh, -c, 'printf %s "$1" > "$2"', sh, '\${word}', '\${out.text}']
    out: [text]
  repeat:
    cmd: [sh, -c, 'for i in $(seq "$1"); do cat "$2"; done > "$3"', sh, '\${with.times}', '\${in.text}', '\${out.text}']
    matrix: { times: '\${times}' }
    in: { text: first.text }
    with: { times: '\${matrix.times}' }
    out: [text]
  report:
    cmd: [sh, -c, 'cat "$3" && echo "{\\"length\\": 5}" > "$1" && echo "<body>page</body>" > "$2"', sh, '\${out.metrics}', '\${out.page}', '\${in.first}']
    in: { all: repeat.text, first: first.text }
    out: [metrics: metrics.json, page: page.html]
`

it('runs, says nothing new the second time, reruns what a change reaches, and agrees with its dry run', async (t) => {
  const place = new Place(t)
  place.write('pipeline.yaml', TOY)
  const plan = async (...args: string[]): Promise<Record<string, string>> => {
    const { out, code } = await place.run('run', '--dry-run', '--json', ...args)
    assert.equal(code, 0)
    const { stages } = JSON.parse(out) as { stages: { name: string; state: string }[] }
    return Object.fromEntries(stages.map(({ name, state }) => [name, state]))
  }
  assert.deepEqual(await plan(), { first: 'run', 'repeat[2]': 'run', 'repeat[3]': 'run', report: 'run' })
  assert.ok(!place.has('artifacts'), 'a dry run touches nothing')
  const cold = await place.lines()
  assert.equal(cold.code, 0)
  assert.deepEqual(outcomes(cold.last), ['first: ran', 'repeat[2]: ran', 'repeat[3]: ran', 'report: ran'])
  assert.equal(place.read('artifacts/repeat/3/text'), 'aaa')
  const again = await place.lines()
  assert.deepEqual(outcomes(again.last), ['first: fresh', 'repeat[2]: fresh', 'repeat[3]: fresh', 'report: fresh'])
  assert.equal(again.last.experiment, cold.last.experiment)
  assert.deepEqual(await plan(), { first: 'fresh', 'repeat[2]': 'fresh', 'repeat[3]': 'fresh', report: 'fresh' })

  // a value of the matrix is replaced: the other cell stays, what reads them all runs
  const changed = ['--set', 'times=[2, 4]']
  assert.deepEqual(await plan(...changed), {
    first: 'fresh',
    'repeat[2]': 'fresh',
    'repeat[4]': 'run',
    report: 'may-run',
  })
  const third = await place.lines(...changed)
  assert.deepEqual(outcomes(third.last), ['first: fresh', 'repeat[2]: fresh', 'repeat[4]: ran', 'report: ran'])
  assert.notEqual(third.last.experiment, cold.last.experiment)

  // back again: all is in the store
  const back = await plan()
  assert.deepEqual([...new Set(Object.values(back))].sort(), ['fresh', 'restore'])
  const restored = outcomes((await place.lines()).last).filter((line) => line.endsWith('ran'))
  assert.deepEqual(restored, [])
})

it('prints one JSON object a line, the last of the agreed shape, and joins the page', async (t) => {
  const place = new Place(t)
  place.write('pipeline.yaml', TOY)
  const { last, lines } = await place.lines()
  assert.equal(lines[0]?.type, 'started')
  assert.deepEqual(Object.keys(last), ['type', 'experiment', 'stages', 'metrics'])
  assert.equal(last.type, 'finished')
  assert.match(String(last.experiment), /^[0-9a-f]{64}$/)
  for (const stage of last.stages as Record<string, unknown>[]) {
    assert.deepEqual(Object.keys(stage), ['name', 'key', 'outcome', 'seconds'])
    assert.match(String(stage.key), /^[0-9a-f]{64}$/)
    assert.equal(typeof stage.seconds, 'number')
  }
  assert.deepEqual(last.metrics, { length: 5 })
  const { page } = JSON.parse((await place.run('report', '--json')).out) as { page: string }
  const html = place.read(page.slice(place.root.length + 1))
  assert.match(html, /page/)
  assert.ok(html.includes(String(last.experiment)), 'the page names the experiment')
})

it('edits of the form of pipeline.yaml alone run nothing', async (t) => {
  const place = new Place(t)
  place.write('pipeline.yaml', TOY)
  await place.lines()
  place.write(
    'pipeline.yaml',
    `# a comment\n${TOY.replace('word: a', 'word: "a" # the word').replace('[2, 3]', '\n    - 2.0\n    - 3e0')}`.replaceAll(
      '\n',
      '\r\n',
    ),
  )
  const { last } = await place.lines()
  assert.ok(
    outcomes(last).every((line) => line.endsWith('fresh')),
    outcomes(last).join(),
  )
})

it('a value reaches a program as it is, whatever it holds', async (t) => {
  const place = new Place(t)
  const odd = ` a  b "c" 'd' \\ \n\t$(touch hacked) \`x\` ; * $HOME ée\u0301 \u{1f600} `
  place.write(
    'pipeline.yaml',
    `version: 1
params: { odd: ${JSON.stringify(odd)} }
stages:
  one:
    cmd: [sh, -c, 'printf "%s\\0" "$@" > "$PIPELINE_OUT_TEXT"; printf %s "$PIPELINE_WITH" > "$PIPELINE_OUT_JSON"', sh, '\${odd}', '<\${with.v}>', '$\${odd}', '', '\${with.m}']
    with: { v: '\${odd}', m: { n: [1.0, null] } }
    out: [text, json]
`,
  )
  assert.equal((await place.lines()).code, 0)
  assert.deepEqual(place.read('artifacts/one/text').split('\0'), [odd, `<${odd}>`, '\${odd}', '', '{"n":[1,null]}', ''])
  assert.deepEqual(JSON.parse(place.read('artifacts/one/json')), { v: odd, m: { n: [1, null] } })
  assert.ok(!place.has('hacked'))
})

it('stages whose names are numbers, have accents, or are those of methods, are stages like any other', async (t) => {
  const place = new Place(t)
  const names = ['2', '1', 'é', 'o\u0301', 'toString']
  const lines = names.map(
    (name) => `  ${name}: { cmd: [sh, -c, 'printf %s "$1" > "$2"', sh, ${name}, '\${out.o}'], out: [o] }`,
  )
  place.write('pipeline.yaml', `version: 1\nstages:\n${lines.join('\n')}\n`)
  const { last } = await place.lines()
  assert.deepEqual(
    outcomes(last),
    names.map((name) => `${name}: ran`),
  )
  for (const name of names) assert.equal(place.read(`artifacts/${name}/o`), name)
})

it('a failed stage: exit code 1, its last words and its log for people, and the last line for programs', async (t) => {
  const place = new Place(t)
  place.write(
    'pipeline.yaml',
    `version: 1
stages:
  bad: { cmd: [sh, -c, 'echo about to fail; echo cannot do it >&2; exit 3'], out: [o] }
  after: { cmd: [sh, -c, 'true'], in: { o: bad.o }, out: [p] }
  other: { cmd: [sh, -c, 'echo x > "$1"', sh, '\${out.o}'], out: [o] }
`,
  )
  const { code, errors } = await place.run('run', '--jobs', '1')
  assert.equal(code, 1)
  assert.match(errors, /error: pipeline\.yaml:3:3: Stage "bad": "sh" ended with exit code 3/)
  assert.match(errors, /cannot do it/)
  const log = /its log: (.*)/.exec(errors)?.[1] ?? ''
  assert.match(place.read(log.slice(place.root.length + 1)), /about to fail/)
  const { last, code: second } = await place.lines('--keep-going')
  assert.equal(second, 1)
  assert.equal(last.experiment, null)
  assert.deepEqual(outcomes(last), ['bad: failed', 'after: skipped', 'other: ran'])
})

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  it(`${signal} ends the stages, publishes nothing, and exits ${code}`, async (t) => {
    const place = new Place(t)
    place.write(
      'pipeline.yaml',
      `version: 1
stages:
  slow: { cmd: [sh, -c, 'echo $$ > "$2"; echo half > "$1"; sleep 600 & wait', sh, '\${out.o}', ${JSON.stringify(`${place.root}/pid`)}], out: [o] }
`,
    )
    const { child, ended } = place.start(['run', '--json'])
    await place.until('pid')
    while (place.read('pid') === '') await new Promise((resolve) => setImmediate(resolve))
    child.kill(signal)
    const { code: actual, out } = await ended
    assert.equal(actual, code)
    const last = JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as {
      type: string
      experiment: unknown
      stages: unknown
      metrics: unknown
    }
    assert.deepEqual([last.type, last.experiment], ['finished', null])
    assert.throws(() => process.kill(Number(place.read('pid')), 0), /ESRCH/)
    assert.ok(!place.has('artifacts/slow'))
  })
}
