import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { HubServer, sha256 } from '../data/hub-server.ts'
import type { Fault } from '../data/hub-server.ts'
import { Place, outcomes } from './command.ts'
import { writeLearner } from './learner.ts'

const parquet = join(import.meta.dirname, '..', 'fixtures', 'data', 'parquet')
const items = readFileSync(join(parquet, 'items.parquet'))
const commit = 'c0ffee'.padEnd(40, '0')

/** A project whose sources are all on a hub and a server of this machine. */
async function makeProject(context: TestContext, teacher: Readonly<Record<string, Buffer>> = {}) {
  const place = new Place(context)
  await writeLearner(place)
  const folder = (name: string): Record<string, Buffer> =>
    Object.fromEntries(
      readdirSync(join(place.root, name)).map((file) => [file, readFileSync(join(place.root, name, file))]),
    )
  const text = { 'plain/train.parquet': readFileSync(join(parquet, 'lines.parquet')) }
  const rows = Buffer.from('{"text":"w1 w2"}\n{"text":"w3"}\n')
  const server = new HubServer({
    'models/owner/teacher': { ...folder('teacher'), ...teacher },
    'models/owner/words': folder('student'),
    'datasets/owner/text': { ...text, 'validation.jsonl': rows },
    files: { 'test.txt': Buffer.from('w4 w5\n'), 'items.parquet': items },
  })
  await server.start()
  context.after(() => server.stop())
  useCache(place, 'cache')
  Object.assign(place.env, { HF_ENDPOINT: server.endpoint, HF_TOKEN: 'hf_secret', HF_HUB_OFFLINE: '0' })
  place.write('pipeline.yaml', yaml(server, commit))
  return { place, server }
}

function useCache(place: Place, name: string): void {
  Object.assign(place.env, { HF_HOME: join(place.root, name), HF_HUB_CACHE: join(place.root, name, 'hub') })
}

const yaml = ({ endpoint }: HubServer, revision: string): string => `version: 1
stages:
  download:
    run: stages/download.ts
    in:
      corpus: hub:datasets/owner/text@${revision}
      test: ${endpoint}/files/test.txt#sha256=${sha256(Buffer.from('w4 w5\n'))}
      tasks: ${endpoint}/files/items.parquet#sha256=${sha256(items)}
      teacher: hub:owner/teacher@${commit}
      tokenizer: hub:owner/words@${commit}
    with: { train: plain/train.parquet, validation: validation.jsonl }
    out: [corpus, tasks, teacher, tokenizer]
`

describe('sources on a hub and on a server', { timeout: 300_000 }, () => {
  it('are fetched once; with their commits, a second run asks nobody', async (t) => {
    const { place, server } = await makeProject(t)
    const cold = await place.lines()
    assert.deepEqual([cold.code, outcomes(cold.last)], [0, ['download: ran']])
    assert.match(place.read('artifacts/download/corpus/train.txt'), /^\n = The Old Bridge = \n\n The bridge of Łódź/)
    assert.equal(place.read('artifacts/download/corpus/validation.txt'), 'w1 w2\nw3\n')
    assert.equal(place.read('artifacts/download/corpus/test.txt'), 'w4 w5\n')
    assert.match(place.read('artifacts/download/tasks'), /^\{"ind":4,"activity_label":"Bridges",.*\n\{"ind":14/)
    const weights = readFileSync(join(place.root, 'artifacts/download/teacher/model.safetensors'))
    assert.deepEqual(weights, readFileSync(join(place.root, 'teacher/model.safetensors')))
    assert.ok(place.has('artifacts/download/tokenizer/tokenizer.json'))
    await server.stop()
    const again = await place.lines()
    assert.deepEqual([again.code, outcomes(again.last)], [0, ['download: fresh']])
  })

  it('by a branch: its commit is looked up, a move is said, offline the last one holds', async (t) => {
    const { place, server } = await makeProject(t)
    place.write('pipeline.yaml', yaml(server, 'main'))
    const ref = 'cache/hub/datasets--owner--text/refs/main'
    assert.equal((await place.run('run', '--dry-run')).code, 0)
    assert.ok(!place.has('cache'), 'a dry run leaves the cache as it is')
    const cold = await place.lines()
    assert.deepEqual([cold.code, outcomes(cold.last)], [0, ['download: ran']])
    assert.equal(place.read(ref), commit)
    server.commit = 'deadbeef'.padEnd(40, '0')
    const { out } = await place.run('run', '--dry-run')
    assert.match(
      out,
      /pipeline\.yaml:6:15 +in\.corpus \(hub:datasets\/owner\/text@main\) +"hub:datasets\/owner\/text@c0ffee000000" → "hub:datasets\/owner\/text@deadbeef0000"/,
    )
    assert.equal(place.read(ref), commit)
    assert.deepEqual(outcomes((await place.lines()).last), ['download: ran'])
    await server.stop()
    place.env['HF_HUB_OFFLINE'] = '1'
    assert.deepEqual(outcomes((await place.lines()).last), ['download: fresh'])
    place.env['HF_HUB_OFFLINE'] = '0'
    const { code, errors } = await place.run('run')
    assert.equal(code, 1)
    assert.match(
      errors,
      /^error: pipeline\.yaml:6:15: Input "corpus" of stage "download": "127\.0\.0\.1:\d+" could not be reached .*HF_HUB_OFFLINE=1.* \[HUB_UNREACHABLE\]/,
    )
  })

  it('by a branch: Ctrl-C while the hub is asked ends the command and the question', async (t) => {
    const { place, server } = await makeProject(t)
    place.write('pipeline.yaml', yaml(server, 'main'))
    for (const args of [['run'], ['run', '--dry-run']]) {
      server.asked.length = 0
      server.faults.api.push({ waitsFor: new Promise(() => undefined) })
      const { child, ended } = place.start(args)
      while (server.asked.length === 0) await delay(20)
      child.kill('SIGINT')
      const { code, errors } = await ended
      assert.equal(code, 130)
      assert.match(errors, /"resolve" was stopped\. \[TOOL_STOPPED\]/)
      while ((await server.connections()) > 0) await delay(20)
    }
  })

  const refusals: Readonly<Record<number, [code: string, exitCode: number]>> = {
    401: ['HUB_UNAUTHORIZED', 2],
    403: ['HUB_FORBIDDEN', 2],
    404: ['HUB_NOT_FOUND', 2],
    429: ['HUB_BUSY', 1],
    500: ['HUB_BROKEN', 1],
  }
  it('that are refused: a branch before anything runs, a file in its stage, and nothing is published', async (t) => {
    const { place, server } = await makeProject(t)
    const branch = yaml(server, 'main')
    const exact = yaml(server, commit)
    for (const [status, [code, exitCode]] of Object.entries(refusals)) {
      useCache(place, `cache-${status}`)
      const faults = faultsOf({ status: Number(status), headers: { 'retry-after': '0' } })
      place.write('pipeline.yaml', branch)
      server.faults.api = faults
      const before = await place.run('run')
      assert.equal(before.code, exitCode)
      assert.match(before.errors, new RegExp(`^error: pipeline\\.yaml:6:15: .*${status}.* \\[${code}\\]`))
      server.faults.api = []
      place.write('pipeline.yaml', exact)
      server.faults.file = faults.slice()
      const during = await place.run('run')
      assert.equal(during.code, 1)
      assert.match(
        during.errors,
        new RegExp(`^error: pipeline\\.yaml:3:3: Stage "download": .*${status}.* \\[${code}\\]`),
      )
      server.faults.file = []
      assert.ok(!place.has('artifacts/download'))
      assert.deepEqual(place.results('download'), [])
      assert.deepEqual(snapshots(place, `cache-${status}`), [])
    }
  })

  it('of a model of another architecture: named with those that there are, and its weights are not fetched', async (t) => {
    const { place, server } = await makeProject(t, { 'config.json': Buffer.from('{"model_type":"llama"}') })
    const { code, errors } = await place.run('run')
    assert.equal(code, 1)
    assert.match(
      errors,
      /Stage "download": "hub:owner\/teacher@c0ffee0+\/config\.json": model_type is "llama"; supported are "gpt2" and "gpt_neo"\. \[CONFIG_UNSUPPORTED\]/,
    )
    assert.deepEqual(
      server.asked.filter(({ url }) => url.endsWith('safetensors')),
      [],
    )
    assert.equal((await place.run('logits', `hub:owner/teacher@${commit}`, '--ids', '1')).code, 2)
  })

  it('over a connection that always breaks: said, what came is kept, and the next run goes on with it', async (t) => {
    const { place, server } = await makeProject(t)
    const asked = (): (string | undefined)[] =>
      server.asked
        .filter(({ host, url }) => host.startsWith('localhost') && url.endsWith('safetensors'))
        .map((one) => one.range)
    const weights = readFileSync(join(place.root, 'teacher/model.safetensors'))
    // several files are fetched at once: the faults are for the weights
    server.spared = (url) => !url.endsWith('model.safetensors')
    server.faults.file.push({ cutAfter: 2000 }, ...faultsOf({ cutAfter: 0 }).slice(0, 4))
    const broken = await place.run('run')
    assert.equal(broken.code, 1)
    assert.match(
      broken.errors,
      /broke 4 times without a byte, at 2000 of \d+\..*what was fetched is kept\. \[HUB_UNREACHABLE\]/,
    )
    assert.deepEqual(place.results('download'), [])
    server.asked.length = 0
    assert.equal((await place.run('run')).code, 0)
    assert.deepEqual(asked(), ['bytes=2000-'])
    assert.deepEqual(readFileSync(join(place.root, 'artifacts/download/teacher/model.safetensors')), weights)
  })
})

/** More than are tried. */
const faultsOf = (fault: Fault): Fault[] => Array.from({ length: 40 }, () => fault)

/** What of a repository can be seen in a cache. */
function snapshots(place: Place, cache: string): string[] {
  const hub = join(place.root, cache, 'hub')
  return existsSync(hub) ? readdirSync(hub).filter((name) => existsSync(join(hub, name, 'snapshots'))) : []
}
