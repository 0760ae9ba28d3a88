import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Place } from './command.ts'

/** What is listed depends on records alone; the stage is quick. */
const PIPELINE = `version: 1
metrics: score.metrics
params: { distill: { temperature: 2, loss: kl }, seed: 1, note: '' }
stages:
  score:
    cmd: [node, -e, 'const [t, note, out] = process.argv.slice(1); fs.writeFileSync(out, JSON.stringify({ note, acc: { control: 0.5, student: t / 10 }, seed: 9 }))', '\${distill.temperature}', '\${note}', '\${out.metrics}']
    with: { temperature: '\${distill.temperature}', loss: '\${distill.loss}', seed: '\${seed}' }
    out: [metrics: metrics.json]
`

interface Listed {
  readonly hash: string
  readonly tags: readonly string[]
  readonly params: { readonly distill: { readonly temperature: number } }
}

/** Experiments at the temperatures 4, 1 and 10, of which the last is of another loss and has a note that is hard to quote. */
async function recorded(t: ConstructorParameters<typeof Place>[0]) {
  const place = new Place(t)
  place.write('pipeline.yaml', PIPELINE)
  const hashes: string[] = []
  for (const args of [['4'], ['1'], ['10', '--set', 'distill.loss=ce', '--set', 'note=a, "b"']]) {
    const { code, last } = await place.lines('--set', `distill.temperature=${args[0]!}`, ...args.slice(1))
    assert.equal(code, 0)
    hashes.push(String(last.experiment))
  }
  await place.run('tag', hashes[0]!, 'first')
  await place.run('pin', hashes[1]!)
  const list = async (...args: string[]): Promise<number[]> => {
    const { out, code, errors } = await place.run('list', '--json', ...args)
    assert.equal(code, 0, errors)
    const { experiments } = JSON.parse(out) as { experiments: Listed[] }
    return experiments.map(({ params }) => params.distill.temperature)
  }
  return { place, hashes, list }
}

test('lists are sorted and filtered by parameters, metrics and tags', async (t) => {
  const { list } = await recorded(t)
  const cases: [string[], number[]][] = [
    [[], [10, 1, 4]],
    [
      ['--sort', 'distill.temperature'],
      [1, 4, 10],
    ],
    [
      ['--sort', '-acc.student'],
      [10, 4, 1],
    ],
    [
      ['--sort', 'distill.loss,-distill.temperature'],
      [10, 4, 1],
    ],
    [
      ['--sort', 'at'],
      [4, 1, 10],
    ],
    [
      ['--sort', 'tag'],
      [4, 10, 1],
    ],
    [['--where', 'distill.temperature=4'], [4]],
    [['--where', 'distill.temperature = 4.0'], [4]],
    [
      ['--where', 'distill.temperature!=4'],
      [10, 1],
    ],
    [['--where', 'distill.temperature<4'], [1]],
    [
      ['--where', 'distill.temperature<=4'],
      [1, 4],
    ],
    [['--where', 'acc.student>0.4'], [10]],
    [
      ['--where', 'acc.student>=0.4'],
      [10, 4],
    ],
    [
      ['--where', 'score.loss=kl'],
      [1, 4],
    ],
    [['--where', 'distill.loss=kl', '--where', 'distill.temperature>1'], [4]],
    [['--where', 'tag=first'], [4]],
    [
      ['--where', 'tag!=first', '--sort', 'params.distill.temperature'],
      [1, 10],
    ],
    [['--where', 'pinned=true'], [1]],
    [
      ['--where', 'at>2020-01-01'],
      [10, 1, 4],
    ],
    [['--where', 'params.note=a, "b"', '--where', 'metrics.note!='], [10]],
    [['--where', 'distill.loss=none'], []],
  ]
  for (const [args, expected] of cases) assert.deepEqual([args, await list(...args)], [args, expected])
})

test('the table has what differs, the fields that were asked for, and fits', async (t) => {
  const { place, hashes } = await recorded(t)
  const [four, one, ten] = hashes.map((hash) => hash.slice(0, 16))
  const list = async (columns: number, ...args: string[]): Promise<string[]> => {
    place.env['COLUMNS'] = String(columns)
    const { out } = await place.run('list', ...args)
    const lines = out.trimEnd().split('\n')
    for (const line of lines) assert.ok(line.length <= columns, `${line.length} > ${columns}: ${line}`)
    return lines.map((line) => line.replace(/\d{4}-\d\d-\d\d \d\d:\d\d/, 'THEN            '))
  }
  assert.deepEqual(await list(120, '--sort', 'distill.temperature'), [
    'experiment        when              tags   distill.temperature  distill.loss  params.note  acc.student  pinned',
    `${one!}  THEN                     1                    kl                         0.1          yes`,
    `${four!}  THEN              first  4                    kl                         0.4`,
    `${ten!}  THEN                     10                   ce            a, "b"       1`,
    '',
    '3 more, shown by --sort NAME or --csv: acc.control, metrics.seed, metrics.note',
  ])
  // among these the loss and the note are the same, and none is pinned
  assert.deepEqual(await list(90, '--sort', 'metrics.seed', '--where', 'distill.loss=kl', '--where', 'tag=first'), [
    'experiment        when              tags   metrics.seed  distill.loss  acc.control',
    `${four!}  THEN              first  9             kl            0.5`,
    '',
    '1 more, shown by --sort NAME or --csv: acc.student',
  ])
  assert.deepEqual(await list(20), ['experiment', ten, one, four, '', '10 more, shown by -…'])
  assert.equal((await place.run('list', '--where', 'tag=none')).out, 'None of 3 experiments is so.\n')
})

test('--csv is what RFC 4180 says, with every parameter and metric', async (t) => {
  const { place, hashes } = await recorded(t)
  const { out } = await place.run(
    'list',
    '--csv',
    '--sort',
    '-distill.temperature',
    '--where',
    'distill.temperature!=1',
  )
  const dates = out.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'THEN')
  assert.equal(
    dates,
    [
      'hash,at,tags,pinned,params.distill.temperature,params.distill.loss,params.seed,params.note,params.score.temperature,params.score.loss,params.score.seed,metrics.note,metrics.acc.control,metrics.acc.student,metrics.seed',
      `${hashes[2]!},THEN,,false,10,ce,1,"a, ""b""",10,ce,1,"a, ""b""",0.5,1,9`,
      `${hashes[0]!},THEN,first,false,4,kl,1,,4,kl,1,,0.5,0.4,9`,
      '',
    ].join('\r\n'),
  )
  assert.equal((await place.run('list', '--csv', '--json')).code, 2)
})

test('a name that is unknown is said with the nearest, exit code 2; where nothing is recorded none is wrong', async (t) => {
  const { place } = await recorded(t)
  const cases: [string[], RegExp][] = [
    [
      ['--sort', 'distil.temperature'],
      /field "distil\.temperature", as --sort .* Did you mean "distill\.temperature"\?.*\[FIELD_UNKNOWN\]/,
    ],
    [['--sort', 'at,-acc.studnet'], /field "acc\.studnet", .* Did you mean "acc\.student"\?/],
    [['--sort', 'temperature'], /Did you mean "distill\.temperature"\?/],
    [['--where', 'acc>1'], /as --where 'acc>1' asks\. Did you mean "acc\.control"\?/],
    [
      ['--where', 'seed=1'],
      /"seed" .* is a parameter and a metric: write "params\.seed" or "metrics\.seed"\. \[FIELD_AMBIGUOUS\]/,
    ],
    [['--where', 'distill.loss'], /is no condition: write NAME, .* \[WHERE_INVALID\]/],
    [['--where', 'distill.temperature<warm'], /"distill\.temperature" is a number in every experiment; "warm" is none/],
  ]
  for (const [args, message] of cases) {
    const { code, errors, out } = await place.run('list', ...args)
    assert.deepEqual([args, code, out], [args, 2, ''])
    assert.match(errors, message)
  }
  const empty = new Place(t)
  const { code, out } = await empty.run('list', '--sort', 'x', '--where', 'y=1')
  assert.deepEqual([code, out.startsWith('No experiment is recorded here yet')], [0, true])
})
