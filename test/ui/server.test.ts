import assert from 'node:assert/strict'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { loadPipeline } from '../../lib/pipeline/config.ts'
import { tagExperiment } from '../../lib/pipeline/tag.ts'
import { Failure } from '../../lib/util/failure.ts'
import type { Curves, Differences, ExperimentDetails, PlanAnswer, TableAnswer } from '../../lib/ui/api.ts'
import { startUi } from '../../lib/ui/server.ts'
import type { Ui } from '../../lib/ui/server.ts'
import { makeTraining } from './place.ts'

interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

/** A request as it is written, whatever a well-behaved client would make of it. */
const ask = (url: URL, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> =>
  new Promise((resolve, reject) => {
    const sent = request({ host: url.hostname, port: url.port, path, method, headers }, (response) => {
      const parts: string[] = []
      response.setEncoding('utf8').on('data', (text: string) => parts.push(text))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: parts.join('') })) // prettier-ignore
    })
    sent.on('error', reject).end()
  })

describe('the server of the page', { timeout: 120_000 }, () => {
  const place = makeTraining({ after })
  const hashes: string[] = []
  let [ui, url]: [Ui | undefined, URL] = [undefined, new URL('http://x')]
  const cookie = (): Record<string, string> => ({ cookie: `pipeline-ui-${url.port}=${url.searchParams.get('token') ?? ''}` }) // prettier-ignore
  const get = async <T>(path: string): Promise<T> => JSON.parse((await ask(url, path, cookie())).text) as T

  const start = (port: number | undefined): Promise<Ui> =>
    startUi({
      root: place.root,
      port,
      load: () => loadPipeline({ file: `${place.root}/pipeline.yaml`, overlays: [], sets: [] }),
      resolveRevisions: () => Promise.resolve([]),
      command: 'npx pipeline run',
    })

  before(async () => {
    for (const rate of ['0.1', '0.3', '0.9']) {
      const { last } = await place.lines('--set', `rate=${rate}`)
      hashes.push(String(last['experiment']))
    }
    ui = await start(0)
    url = new URL(ui.url)
  })
  after(() => ui?.close())

  it('listens on the loopback, and opens to the token alone, by address or cookie', async () => {
    assert.equal(url.hostname, '127.0.0.1')
    const token = url.searchParams.get('token')!
    assert.match(token, /^[0-9a-f]{48}$/)
    const opened = await ask(url, `/?token=${token}`)
    assert.equal(opened.status, 200)
    assert.match(String(opened.headers['set-cookie']), /HttpOnly; SameSite=Strict/)
    assert.match(String(opened.headers['content-security-policy']), /default-src 'none'; script-src 'self'/)
    assert.equal(opened.headers['access-control-allow-origin'], undefined)
    assert.equal((await ask(url, '/api/experiments', cookie())).status, 200)
    for (const path of ['/', '/?token=', `/?token=${'0'.repeat(48)}`, '/api/experiments', '/page.js', '/report']) {
      const { status, text } = await ask(url, path)
      assert.deepEqual([path, status], [path, 403])
      assert.match(text, /The token is missing or wrong\. Open the address that `pipeline ui` printed/)
    }
  })

  it('refuses other names of this machine, other sites, and all but GET', async () => {
    for (const host of ['evil.example', `evil.example:${url.port}`, '127.0.0.1', `127.0.0.1:1`]) {
      const { status, text } = await ask(url, '/api/experiments', { ...cookie(), host })
      assert.deepEqual([host, status], [host, 403])
      assert.match(text, /alone, and was asked for as/)
    }
    assert.equal((await ask(url, '/api/experiments', { ...cookie(), host: `localhost:${url.port}` })).status, 200)
    assert.equal((await ask(url, '/api/experiments', { ...cookie(), 'sec-fetch-site': 'cross-site' })).status, 403)
    assert.equal((await ask(url, '/api/experiments', cookie(), 'POST')).status, 405)
  })

  it('has the same port for the same folder, and another while that is taken', async () => {
    const portOf = async (use: (port: string) => Promise<void> = () => Promise.resolve()): Promise<string> => {
      const { url, close } = await start(undefined)
      const { port } = new URL(url)
      await use(port).finally(close)
      return port
    }
    const own = await portOf(async (taken) => assert.notEqual(await portOf(), taken))
    assert.equal(await portOf(), own)
  })

  it('says which port is taken', async (t) => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    t.after(() => other.close())
    const { port } = other.address() as { readonly port: number }
    await assert.rejects(start(port), (error) => error instanceof Failure && error.code === 'PORT_IN_USE' && error.exitCode === 2 && error.message.includes(String(port))) // prettier-ignore
    const { code, errors } = await place.run('ui', '--port', String(port))
    assert.equal(code, 2)
    assert.match(errors, new RegExp(`Another program listens on port ${port}.*PORT_IN_USE`))
  })

  it('lists what `pipeline list` does: filtered, sorted, in columns', async () => {
    const all = await get<TableAnswer>('/api/experiments')
    assert.deepEqual(all.hashes, [...hashes].reverse())
    assert.deepEqual(all.columns, ['params.rate', 'metrics.loss.train', 'metrics.loss.ideal', 'metrics.verdict'])
    assert.deepEqual(all.values[0], [0.9, 0.3, 0.1])
    const some = await get<TableAnswer>('/api/experiments?where=rate%3E0.2&sort=-loss.train&columns=params.words,none')
    assert.deepEqual([some.total, some.hashes, some.columns], [3, [hashes[1], hashes[2]], ['params.words']])
    assert.deepEqual((await get<TableAnswer>(`/api/experiments?text=${hashes[0]!.slice(0, 9)}`)).hashes, [hashes[0]])
    const wrong = await ask(url, '/api/experiments?where=ratee%3D2', cookie())
    assert.equal(wrong.status, 200)
    assert.match(wrong.text, /FIELD_UNKNOWN.*Did you mean \\"rate\\"/)
  })

  it('sees a new tag, and a new experiment', async () => {
    assert.ok(tagExperiment(place.root, hashes[0]!, 'best').ok)
    const { tags, hashes: found } = await get<TableAnswer>('/api/experiments?where=tag%3Dbest')
    assert.deepEqual([found, tags], [[hashes[0]], [['best']]])
    assert.ok(tagExperiment(place.root, hashes[0]!, 'again').ok)
    assert.deepEqual((await get<TableAnswer>('/api/experiments?where=tag%3Dagain')).hashes, [hashes[0]])
    const { last } = await place.lines('--set', 'rate=2')
    assert.equal((await get<TableAnswer>('/api/experiments')).hashes[0], last['experiment'])
  })

  it('gives an experiment with its stages, curves, files, log and page', async () => {
    const [hash] = hashes
    const found = await get<ExperimentDetails>(`/api/experiment?hash=${hash!}`)
    assert.deepEqual(found.stages.map(({ name, reads }) => [name, reads]), [['train', []], ['measure', ['train']]]) // prettier-ignore
    const curves = (await get<Record<string, Curves>>(`/api/curves?hashes=${hash!}`))[hash!]!
    assert.equal(curves['train']!.steps.length, 12)
    assert.equal(curves['train']!.values['validationLoss']!.filter((value) => value !== null).length, 3)
    const at = `stage=train&key=${found.stages[0]!.key}`
    assert.match((await ask(url, `/api/log?${at}`, cookie())).text, /step 12/)
    assert.match((await ask(url, `/api/artifacts?${at}`, cookie())).text, /"path":"curves"/)
    assert.match((await ask(url, `/api/artifact?${at}&path=curves`, cookie())).text, /"step":12/)
    const page = await ask(url, `/report?hash=${hash!}`, cookie())
    assert.match(page.text, /The report/)
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'.*sandbox/)
  })

  it('gives no file but those of a result', async () => {
    const { stages } = await get<ExperimentDetails>(`/api/experiment?hash=${hashes[0]!}`)
    const at = `stage=train&key=${stages[0]!.key}`
    for (const asked of [
      `${at}&path=../manifest.json`,
      `${at}&path=manifest.json`,
      `${at}&path=${encodeURIComponent('../../../../pipeline.yaml')}`,
      `stage=..%2F..&key=${stages[0]!.key}&path=curves`,
      'stage=train&key=x&path=curves',
    ]) {
      assert.deepEqual([asked, (await ask(url, `/api/artifact?${asked}`, cookie())).status], [asked, 404]) // prettier-ignore
    }
    assert.equal((await ask(url, '/api/log?run=..%2F..&stage=train&key=x', cookie())).text, 'null')
    assert.equal((await ask(url, '/api/none', cookie())).status, 404)
  })

  it('says of several experiments what differs, a value for each', async () => {
    const found = await get<Differences>(`/api/differences?hashes=${hashes.join()}`)
    assert.deepEqual(found.parameters, [{ name: 'train.rate', values: [0.1, 0.3, 0.9] }])
    assert.deepEqual(found.metrics.map(({ name }) => name), ['loss.train']) // prettier-ignore
    assert.equal((await ask(url, `/api/differences?hashes=${hashes[0]!}`, cookie())).status, 404)
  })

  it('plans what pipeline.yaml says now, and words what is wrong with it', async () => {
    const plan = await get<PlanAnswer>('/api/plan')
    assert.deepEqual(plan.stages.map(({ name, reads }) => [name, reads]), [['train', []], ['measure', ['train']]]) // prettier-ignore
    const yaml = place.read('pipeline.yaml')
    place.write('pipeline.yaml', yaml.replace('rate: 0.1', 'rate: 5'))
    const { stages } = await get<PlanAnswer>('/api/plan')
    assert.deepEqual([stages[0]!.state, stages[0]!.changes[0]!.field, stages[0]!.changes[0]!.to], ['run', 'train.rate', '5']) // prettier-ignore
    assert.match(stages[0]!.changes[0]!.place ?? '', /^pipeline\.yaml:4:\d+$/)
    place.write('pipeline.yaml', yaml.replace('curves: train.curves', 'curves: train.curve'))
    const wrong = await ask(url, '/api/plan', cookie())
    assert.equal(wrong.status, 200)
    assert.match(wrong.text, /OUTPUT_UNKNOWN/)
    place.write('pipeline.yaml', yaml)
  })
})

it('what each model made of a prompt stands in an experiment whose scores tell, and in no other', async (t) => {
  const place = makeTraining(t)
  const scoresOf = (continuation: string) => ({
    ...{ model: 'GPT-2', parameters: 1, items: null, samples: [{ prompt: 'The river', continuation }] },
    perplexity: { value: Math.exp(2), tokens: 1, nll: 2, context: 8, stride: 8, split: 'test' },
  })
  const stages = ['teacher', 'student'].map((model) => {
    place.write(`${model}.json`, JSON.stringify(scoresOf(` is ${model}'s.`)))
    return `  ${model}: { cmd: [cp, '\${in.from}', '\${out.scores}'], in: { from: "file:${model}.json" }, out: [scores: scores.json] }\n`
  })
  place.write('scored.yaml', `version: 1\nstages:\n${stages.join('')}`)
  const plain = (await place.lines()).last['experiment']
  place.write('pipeline.yaml', place.read('scored.yaml'))
  const scored = (await place.lines()).last['experiment']
  const load = () => loadPipeline({ file: `${place.root}/pipeline.yaml`, overlays: [], sets: [] })
  const shown = { root: place.root, load, resolveRevisions: () => Promise.resolve([]), command: '' }
  const { url, close } = await startUi({ ...shown, port: 0 })
  t.after(close)
  const samples = async (hash: unknown): Promise<unknown> =>
    (await fetch(url.replace('/?', `/api/samples?hash=${String(hash)}&`))).json()
  assert.deepEqual(await samples(plain), [])
  assert.deepEqual(await samples(scored), [
    { prompt: 'The river', answers: { teacher: " is teacher's.", student: " is student's." } },
  ])
})

it('`pipeline ui` prints its address, plans what it is given, and ends with 0 at Ctrl-C while a page is open', async (t) => {
  const place = makeTraining(t)
  place.write('fast.yaml', 'params: { rate: 0.5 }\n')
  const child = place.spawn(['ui', '--json', '-p', 'fast.yaml', '--set', "words=it's"])
  const line = await new Promise<string>((resolve) => child.stdout.setEncoding('utf8').once('data', resolve))
  const { type, url } = JSON.parse(line) as { readonly type: string; readonly url: string }
  assert.equal(type, 'ui')
  const live = await fetch(url.replace('/?', '/api/live?'))
  assert.equal(live.headers.get('content-type'), 'text/event-stream')
  const plan = (await (await fetch(url.replace('/?', '/api/plan?'))).json()) as PlanAnswer
  const { last } = await place.lines('-p', 'fast.yaml', '--set', "words=it's")
  assert.deepEqual([plan.command, plan.experiment], ["npx pipeline run -p fast.yaml --set 'words=it'\\''s'", last['experiment']]) // prettier-ignore
  const ended = new Promise((resolve) => child.on('close', resolve))
  child.kill('SIGINT')
  assert.equal(await ended, 0)
})
