import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { losses, makeTrained, METRICS } from '../e2e/trained.ts'
import { startServer } from './trackers.ts'

interface Run {
  readonly info: { readonly run_id: string; readonly run_name: string; readonly status: string }
  readonly data: {
    readonly metrics: readonly { readonly key: string; readonly value: number }[]
    readonly params: readonly { readonly key: string; readonly value: string }[]
    readonly tags: readonly { readonly key: string; readonly value: string }[]
  }
}

const STEPS = 700

describe('MLflow, as PyPI has it', { timeout: 300_000 }, () => {
  const place = makeTrained({ after })
  let server: Awaited<ReturnType<typeof startServer>>
  let hash = ''
  let where = ''

  const ask = async (call: string, body?: object): Promise<Record<string, unknown>> => {
    const init = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const response = await fetch(`${server.address}/api/2.0/mlflow/${call}`, init)
    assert.equal(response.status, 200, call)
    return (await response.json()) as Record<string, unknown>
  }
  const runs = async (): Promise<Run[]> => {
    const { experiment } = await ask('experiments/get-by-name?experiment_name=tiny')
    const { experiment_id: id } = experiment as { experiment_id: string }
    return ((await ask('runs/search', { experiment_ids: [id] }))['runs'] ?? []) as Run[]
  }
  const history = async (run: string, key: string): Promise<[number, number][]> => {
    const query = new URLSearchParams({ run_id: run, metric_key: key })
    const { metrics } = await ask(`metrics/get-history?${query}`)
    return (metrics as { step: number; value: number }[]).map(({ step, value }) => [step, value])
  }

  before(async () => {
    const store = ['--backend-store-uri', 'sqlite:///mlflow.db', '--default-artifact-root', './files', '--workers', '1']
    server = await startServer('mlflow', ['server', ...store], place.root, '/health')
    // more points than the server takes at once, and a parameter longer than it keeps
    place.write(
      'train.mjs',
      place.read('train.mjs').replace('[1, 2, 3]', `Array.from({ length: ${STEPS} }, (_, i) => i + 1)`),
    )
    Object.assign(place.env, { MLFLOW_TRACKING_URI: `${server.address}/`, MLFLOW_EXPERIMENT_NAME: 'tiny' })
    const { code, lines, last } = await place.lines('--set', `note.text=${'é'.repeat(7000)}`)
    assert.equal(code, 0)
    hash = String(last['experiment'])
    const logged = lines.filter(({ type }) => type === 'logged' || type === 'notice')
    assert.deepEqual(
      logged.filter(({ code }) => code !== 'PARAM_UNUSED').map(({ type, to }) => [type, to]),
      [['logged', 'mlflow']],
    )
    where = String(logged.find(({ type }) => type === 'logged')?.['where'])
  })
  after(() => server.stop())

  it('has the run: its page, its name, its hash, its parameters and metrics', async () => {
    const [run, ...others] = await runs()
    assert.deepEqual(others, [])
    assert.ok(
      where.startsWith(`${server.address}/#/experiments/`) && where.endsWith(`/runs/${run!.info.run_id}`),
      where,
    )
    assert.deepEqual([run!.info.run_name, run!.info.status], [hash.slice(0, 16), 'FINISHED'])
    const tags = Object.fromEntries(run!.data.tags.map(({ key, value }) => [key, value]))
    assert.equal(tags['pipeline.experiment'], hash)
    const params = Object.fromEntries(run!.data.params.map(({ key, value }) => [key, value]))
    assert.deepEqual(params, {
      rates: '[2,0.9]',
      'note.text': 'é'.repeat(6000),
      'note.list': '[1,2]',
      'note.on': 'true',
      untouched: 'null',
    })
    const metrics = Object.fromEntries(run!.data.metrics.map(({ key, value }) => [key, value]))
    assert.equal(metrics['perplexity/student'], METRICS.perplexity.student)
    assert.equal(metrics['cells/distill_2'], METRICS.cells['distill[2]'])
  })

  it('has every point of every training', async () => {
    const [run] = await runs()
    for (const [stage, rate] of [
      ['distill_2', 2],
      ['distill_0.9', 0.9],
      ['control', 1],
    ] as const) {
      const found = await history(run!.info.run_id, `${stage}/loss`)
      assert.deepEqual(found, losses(rate, STEPS))
    }
  })

  it('does not take the same experiment twice', async () => {
    const { code, out } = await place.run('log', hash, '--to', 'mlflow')
    assert.deepEqual([code, out], [0, `${where}\nexperiment ${hash.slice(0, 16)} is there already\n`])
    assert.equal((await runs()).length, 1)
  })

  it('gets a whole run in the place of one whose logging was cut short', async () => {
    const [cut] = await runs()
    await ask('runs/update', { run_id: cut!.info.run_id, status: 'RUNNING' })
    assert.equal((await place.run('log', '--to', 'mlflow')).code, 0)
    const [whole, ...others] = await runs()
    assert.deepEqual([whole!.info.status, others], ['FINISHED', []])
    assert.notEqual(whole!.info.run_id, cut!.info.run_id)
    assert.equal((await history(whole!.info.run_id, 'control/loss')).length, STEPS)
  })
})
