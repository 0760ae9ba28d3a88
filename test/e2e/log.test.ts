import assert from 'node:assert/strict'
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fieldsOf, readRecords } from '../trackers/event-reader.ts'
import { Place } from './command.ts'
import type { Line } from './command.ts'
import { writeLearner } from './learner.ts'
import { losses, makeTrained, METRICS } from './trained.ts'

/** The bytes of every event file below a folder, by its run. */
const eventFiles = (folder: string): Map<string, Buffer> =>
  new Map(
    readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => [entry.parentPath.slice(folder.length + 1), readFileSync(join(entry.parentPath, entry.name))]),
  )

/** `[step, value]` of a tag in an event file. */
function seriesOf(file: Buffer, tag: string): [number, number][] {
  return readRecords(file)
    .map(fieldsOf)
    .flatMap((event) => {
      const step = Number(event.get(2)?.[0] ?? 0)
      const values = event.has(5) ? (fieldsOf(event.get(5)![0] as Buffer).get(1) ?? []) : []
      return values
        .map((value) => fieldsOf(value as Buffer))
        .filter((value) => String(value.get(1)?.[0]) === tag)
        .map((value): [number, number] => [step, Number(value.get(2)?.[0])])
    })
}

const float32 = (points: [number, number][]): [number, number][] =>
  points.map(([step, value]) => [step, Math.fround(value)])

interface Served {
  readonly address: string
  readonly server: Server
  /** The login of each request. */
  readonly logins: (string | undefined)[]
}

/** A server on this machine that answers everything alike. */
async function serve(status: number, body: string): Promise<Served> {
  const logins: (string | undefined)[] = []
  const server = createServer(({ headers }, response) => {
    logins.push(headers.authorization)
    response.writeHead(status).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, logins }
}

/** An address of this machine at which nobody listens any more. */
async function closed(): Promise<string> {
  const { address, server } = await serve(200, '')
  await new Promise((resolve) => server.close(resolve))
  return address
}

describe('pipeline log', () => {
  const place = makeTrained({ after })
  let hash = ''
  before(async () => {
    hash = String((await place.lines()).last['experiment'])
  })

  it('writes an event file for the experiment and for each training, and the same ones again', async () => {
    const { code, out } = await place.run('log', '--to', 'tensorboard', '--json')
    assert.equal(code, 0)
    const name = hash.slice(0, 16)
    assert.deepEqual(JSON.parse(out), {
      to: 'tensorboard',
      where: join(place.root, 'artifacts', 'tensorboard', name),
      already: false,
      experiment: hash,
      params: 5,
      trainings: { 'distill[2]': 3, 'distill[0.9]': 3, control: 3 },
      metrics: 3,
    })
    const files = eventFiles(join(place.root, 'artifacts', 'tensorboard'))
    assert.deepEqual([...files.keys()].sort(), [
      name,
      ...['control', 'distill[0.9]', 'distill[2]'].map((run) => `${name}/${run}`),
    ])
    for (const [run, rate] of [
      ['distill[2]', 2],
      ['distill[0.9]', 0.9],
      ['control', 1],
    ] as const) {
      assert.deepEqual(seriesOf(files.get(`${name}/${run}`)!, 'loss'), float32(losses(rate)))
    }
    assert.deepEqual(seriesOf(files.get(name)!, 'perplexity/student'), [[0, METRICS.perplexity.student]])
    const again = await place.run('log', hash.slice(0, 8), '--to', 'tensorboard', '--dir', 'elsewhere')
    assert.match(
      again.out,
      /^elsewhere\/\w{16}\n5 parameters, 3 points of distill\[2\], .*, 3 metrics\ntensorboard --logdir elsewhere shows it\n$/,
    )
    assert.deepEqual(eventFiles(join(place.root, 'elsewhere')), files)
  })

  it('spreads the steps over the time that the training took', async () => {
    const record = JSON.parse(place.read(`artifacts/experiments/${hash}/record.json`)) as {
      stages: Record<string, { madeAt: string; seconds: number }>
    }
    const { madeAt, seconds } = record.stages['control']!
    await place.run('log', '--to', 'tensorboard')
    const file = eventFiles(join(place.root, 'artifacts', 'tensorboard')).get(`${hash.slice(0, 16)}/control`)!
    const [, ...times] = readRecords(file).map((event) => Number(fieldsOf(event).get(1)![0]))
    const expected = [2 / 3, 1 / 3, 0].map((left) => Date.parse(madeAt) / 1000 - seconds * left)
    for (const [n, time] of times.entries())
      assert.ok(Math.abs(time - expected[n]!) < 0.002, `${time}, ${expected[n]!}`)
  })

  it('says what is wrong: exit code 2, or 1 where a server is', async (t) => {
    place.write('file', '')
    const [gone, login, other] = await Promise.all([closed(), serve(401, 'who are you?'), serve(200, '<html>')])
    t.after(() => [login, other].map(({ server }) => server.close()))
    const cases: [string[], Record<string, string>, number, RegExp][] = [
      [['--to', 'tensorbord'], {}, 2, /Allowed choices are tensorboard, mlflow, wandb/],
      [[], {}, 2, /`log` needs a stage .* or `--to`.*\[LOG_UNSAID\]/],
      [['distil'], {}, 2, /There is no log of a stage "distil" here\. .*\[LOG_MISSING\]/],
      [['x', '--dir', 'y'], {}, 2, /--dir is for `--to tensorboard`.*\[DIR_UNUSED\]/],
      [['abc', '--to', 'tensorboard'], {}, 2, /No experiment's hash begins with "abc".*\[EXPERIMENT_UNKNOWN\]/],
      [
        ['--to', 'tensorboard', '--dir', 'file'],
        {},
        2,
        /"\/.*\/file\/\w{16}.*" cannot be made: a file is .*\[FOLDER_TAKEN\]/,
      ],
      [['--to', 'tensorboard', '--dir', 'file/a/b'], {}, 2, /cannot be made: .*\[FOLDER_TAKEN\]/],
      [['--to', 'mlflow', '--dir', 'x'], {}, 2, /--dir is for `--to tensorboard`.*\[DIR_UNUSED\]/],
      [['--to', 'mlflow'], {}, 2, /MLFLOW_TRACKING_URI is not set\. .*\[MLFLOW_URI\]/],
      [
        ['--to', 'mlflow'],
        { MLFLOW_TRACKING_URI: 'mlruns' },
        2,
        /MLFLOW_TRACKING_URI is no address of a server.*\[MLFLOW_URI\]/,
      ],
      [
        ['--to', 'mlflow'],
        { MLFLOW_TRACKING_URI: gone },
        1,
        new RegExp(`"${gone}" could not be reached: .*ECONNREFUSED.*\\[MLFLOW_UNREACHABLE\\]`),
      ],
      [
        ['--to', 'mlflow'],
        { MLFLOW_TRACKING_URI: login.address.replace('//', '//me:s%25cret@') },
        2,
        new RegExp(
          `"${login.address}" refuses this login \\(401\\)\\. Set MLFLOW_TRACKING_USERNAME .*\\[MLFLOW_UNAUTHORIZED\\]`,
        ),
      ],
      [
        ['--to', 'mlflow'],
        { MLFLOW_TRACKING_URI: other.address },
        1,
        /answered 200 to experiments\/get-by-name.*: its answer is none of MLflow.*\[MLFLOW_REFUSED\]/,
      ],
      [
        ['--to', 'wandb'],
        { PATH: place.root },
        2,
        /`python3` could not be started \(.*ENOENT\)\. .*`python3 -m pip install wandb`.*\[WANDB_MISSING\]/,
      ],
      [
        ['--to', 'wandb'],
        { PYTHONPATH: place.root },
        2,
        /`python3` has no wandb \(No module for this test\)\. .*\[WANDB_MISSING\]/,
      ],
    ]
    place.write('wandb.py', "raise ImportError('No module for this test')\n")
    const usual = { ...place.env }
    for (const [args, env, expected, message] of cases) {
      Object.assign(place.env, env)
      const { code, errors, out } = await place.run('log', ...args)
      assert.match(errors, message)
      assert.deepEqual([args.join(' '), code, out], [args.join(' '), expected, ''])
      assert.ok(!errors.includes('cret@'))
      for (const name of Object.keys(env)) Reflect.deleteProperty(place.env, name)
      Object.assign(place.env, usual)
    }
    assert.deepEqual(login.logins, [`Basic ${Buffer.from('me:s%cret').toString('base64')}`])
    assert.deepEqual(other.logins, [undefined])
  })

  it('says where there is nothing to log, or what is there is damaged', async () => {
    const file = `artifacts/experiments/${hash}/metrics.jsonl`
    place.write(file, place.read(file).replace('{"stage":"control","step":2', '{"stage":"control","step'))
    assert.match(
      (await place.run('log', '--to', 'tensorboard')).errors,
      /line 8, is no JSON object\. .*\[METRICS_DAMAGED\]/,
    )
    rmSync(join(place.root, file))
    assert.match(
      (await place.run('log', '--to', 'tensorboard')).errors,
      /has no metrics\.jsonl here\. .*\[METRICS_MISSING\]/,
    )
    rmSync(join(place.root, 'artifacts'), { recursive: true })
    const { code, errors } = await place.run('log', '--to', 'tensorboard')
    assert.deepEqual([code, /No experiment is recorded here yet.*\[EXPERIMENT_UNKNOWN\]/.test(errors)], [2, true])
  })
})

describe('a distillation', () => {
  it('is logged with the terms of its loss', async (t) => {
    const place = new Place(t)
    await writeLearner(place)
    const name = String((await place.lines()).last['experiment']).slice(0, 16)
    assert.equal((await place.run('log', '--to', 'tensorboard', '--dir', 'events')).code, 0)
    const curves = place.read('artifacts/distill/curves').trimEnd().split('\n')
    const points = curves.map(
      (line) => JSON.parse(line) as { step: number; loss: number; terms: Record<string, number> },
    )
    const file = eventFiles(join(place.root, 'events')).get(`${name}/distill`)!
    assert.ok(points.length > 0)
    const [term] = Object.keys(points[0]!.terms)
    const expected = points.map(({ step, loss, terms }) => [step, Math.fround(loss), Math.fround(terms[term!]!)])
    const losses = seriesOf(file, 'loss')
    const terms = seriesOf(file, `terms/${term!}`)
    assert.deepEqual(
      losses.map(([step, loss], n) => [step, loss, terms[n]![1]]),
      expected,
    )
  })
})

describe('a run whose tracker fails', () => {
  it('has succeeded all the same, says who failed and how to log later, and ends with its last line', async (t) => {
    const place = makeTrained(t)
    const gone = await closed()
    place.env['MLFLOW_TRACKING_URI'] = gone
    const { code, lines, last } = await place.lines()
    assert.deepEqual([code, last.type], [0, 'finished'])
    assert.match(String(last['experiment']), /^[0-9a-f]{64}$/)
    const notices = lines.filter(({ type }) => type === 'notice')
    assert.deepEqual(
      notices.map((notice) => notice['code']),
      ['MLFLOW_UNREACHABLE'],
    )
    const again = `pipeline log ${String(last['experiment']).slice(0, 16)} --to mlflow`
    assert.ok(String(notices[0]!['message']).includes(`"${gone}" could not be reached`))
    assert.ok(String(notices[0]!['message']).includes(again))
    // nothing is recorded anew, and nobody is asked
    assert.equal((await place.run('run')).errors.includes('MLFLOW'), false)
  })

  it('is whole after Ctrl-C while a tracker does not answer', async (t) => {
    const place = makeTrained(t)
    let asked = (): void => undefined
    const waiting = new Promise<void>((resolve) => (asked = resolve))
    const server = createServer(() => {
      asked()
    })
    t.after(() => server.close().closeAllConnections())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    place.env['MLFLOW_TRACKING_URI'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { child, ended } = place.start(['run', '--json'])
    await waiting
    child.kill('SIGINT')
    const { code, out } = await ended
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line)
    const last = lines.at(-1)!
    assert.deepEqual([code, last.type, typeof last['experiment']], [130, 'finished', 'string'])
    assert.ok(lines.some((line) => line['code'] === 'LOG_STOPPED'))
  })
})
