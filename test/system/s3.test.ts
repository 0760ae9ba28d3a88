import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import type { TestContext } from 'node:test'
import { S3Remote } from '../../lib/pipeline/remote/s3-remote.ts'
import { outcomes } from '../e2e/command.ts'
import { Sharing } from '../e2e/sharing.ts'
import { testRemote } from '../pipeline/remote/remotes.ts'
import { startProxy } from './fault-proxy.ts'
import type { Asked, Fault, FaultProxy } from './fault-proxy.ts'
import { pythonPrograms, startServer, until } from './trackers.ts'

/** A server of S3's protocol that PyPI has. */
const MOTO = ['moto[server]==5.2.5']
const server = { address: '', stop: () => Promise.resolve() }
const ACCESS = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'us-east-1' }

before(async () => {
  Object.assign(server, await startServer('moto_server', [], tmpdir(), '/moto-api/', pythonPrograms('moto', MOTO)))
  Object.assign(process.env, ACCESS, { AWS_ENDPOINT_URL: server.address })
  await fetch(`${server.address}/bucket`, { method: 'PUT' })
})
after(() => server.stop())

const newPrefix = (): string => randomBytes(4).toString('hex')

testRemote('S3', () => {
  const prefix = `${newPrefix()}/deep/`
  return Promise.resolve(new S3Remote({ kind: 's3', text: `s3://bucket/${prefix}`, bucket: 'bucket', prefix }))
})

/** A project that has run, and one that has not and sees the server through a proxy. */
async function makePair(t: TestContext) {
  const remote = `s3://bucket/${newPrefix()}`
  const proxy = await startProxy(t, server.address)
  const first = new Sharing(t, remote, { ...ACCESS, AWS_ENDPOINT_URL: server.address })
  const second = new Sharing(t, remote, { ...ACCESS, AWS_ENDPOINT_URL: proxy.address })
  return { first, second, proxy }
}

const RESTORED = ['make: restored', 'join: restored']
const isObject = ({ url }: Asked): boolean => url.includes('/objects/')
const isGet = (asked: Asked): boolean => asked.method === 'GET'

/** The same fault for the first `times` of the requests that are meant, each of them by itself. */
function hit(proxy: FaultProxy, fault: Fault, times: number, isMeant: (asked: Asked) => boolean): void {
  const seen = new Map<string, number>()
  proxy.fault = (asked) => {
    const url = asked.url.replace(/\?.*/, '')
    const count = seen.get(url) ?? 0
    if (!isMeant(asked) || count >= times) return undefined
    seen.set(url, count + 1)
    return fault
  }
}

const FAULTS: Readonly<Record<string, Fault>> = {
  cut: { kind: 'cut answer', after: 100 },
  slow: { kind: 'slow' },
  'wrong bytes': { kind: 'wrong bytes' },
  '500': { kind: 'status', status: 500, code: 'InternalError' },
  '503': { kind: 'status', status: 503, code: 'SlowDown' },
  '403': { kind: 'status', status: 403, code: 'AccessDenied' },
  '404': { kind: 'status', status: 404, code: 'NoSuchKey' },
}

test('what one project ran another restores, through a server of S3', async (t) => {
  const { first, second } = await makePair(t)
  const { last, notices } = await first.shared()
  assert.deepEqual([outcomes(last), notices], [['make: ran', 'join: ran'], []])
  const restored = await second.shared()
  assert.deepEqual([outcomes(restored.last), restored.notices, second.ran()], [RESTORED, [], []])
  assert.ok(second.isRight())
  const third = new Sharing(t, first.read('pipeline.yaml').match(/^remote: (.*)$/m)![1]!, first.env)
  assert.equal((await third.run('pull', String(last['experiment']).slice(0, 8))).code, 0)
  assert.deepEqual(outcomes((await third.shared()).last), RESTORED)
})

test('through a server of S3 what a trusted key signed is restored, and what another replaced is refused', async (t) => {
  const { first, second } = await makePair(t)
  const sign = async (place: Sharing): Promise<string> => {
    const { out } = await place.run('keygen', 'key.pem')
    place.env['PIPELINE_SIGNING_KEY'] = 'key.pem'
    return out.trim()
  }
  const trust = (place: Sharing, key: string) => {
    place.write('pipeline.yaml', place.read('pipeline.yaml').replace('params:', `trust: ['${key}']\nparams:`))
  }
  const key = await sign(first)
  assert.deepEqual((await first.shared()).notices, [])
  trust(second, key)
  const restored = await second.shared()
  assert.deepEqual([outcomes(restored.last), restored.notices], [RESTORED, []])
  // the same results, from who is not trusted
  const remote = first.read('pipeline.yaml').match(/^remote: (.*)$/m)![1]!
  const [other, late] = [new Sharing(t, remote, first.env), new Sharing(t, remote, second.env)]
  const theirs = await sign(other)
  await other.shared('join', '--force')
  trust(late, key)
  const { last, notices } = await late.shared()
  assert.deepEqual(outcomes(last), ['make: restored', 'join: ran'])
  assert.deepEqual(
    notices.map(({ code }) => code),
    ['REMOTE_UNTRUSTED', 'SIGNING_KEY_MISSING'],
  )
  assert.ok(String(notices[0]!['message']).includes(`found one by ${theirs}.`))
})

for (const [name, times] of [
  ['cut', 2],
  ['slow', 99],
  ['wrong bytes', 2],
  ['500', 2],
  ['503', 3],
] as const) {
  test(`an answer that is ${name} ${times} times is healed: all is restored, and nothing said`, async (t) => {
    const { first, second, proxy } = await makePair(t)
    await first.shared()
    hit(proxy, FAULTS[name]!, times, (asked) => isGet(asked) && isObject(asked))
    const { last, notices } = await second.shared()
    assert.deepEqual([outcomes(last), notices, second.ran()], [RESTORED, [], []])
    assert.ok(second.isRight())
  })
}

for (const [name, code, said] of [
  ['cut', 'REMOTE_FAILED', /broke off in "objects\//],
  ['500', 'REMOTE_FAILED', /InternalError/],
  ['403', 'REMOTE_FAILED', /AccessDenied, 403/],
  ['404', 'REMOTE_DAMAGED', /"objects\/.*" in the remote .* is missing/],
  ['wrong bytes', 'REMOTE_DAMAGED', /holds content of digest/],
] as const) {
  test(`an answer that is always ${name} is named, and the stages run`, async (t) => {
    const { first, second, proxy } = await makePair(t)
    await first.shared()
    hit(proxy, FAULTS[name]!, Infinity, (asked) => isGet(asked) && isObject(asked))
    const { notices } = await second.shared()
    assert.ok(notices.length > 0 && notices.every((notice) => notice['code'] === code), JSON.stringify(notices))
    if (code === 'REMOTE_FAILED') assert.equal(notices.length, 1)
    assert.match(String(notices[0]!['message']), said)
    assert.equal(second.ran()[0], 'make')
    assert.ok(second.isRight())
  })
}

const isPut = ({ method }: Asked): boolean => method === 'PUT' || method === 'POST'

for (const [name, fault] of Object.entries({ ...FAULTS, cut: { kind: 'cut request' } as const })) {
  if (!['cut', '500', '503'].includes(name)) continue
  test(`a request that is ${name} twice while results are pushed is healed`, async (t) => {
    const { first, second, proxy } = await makePair(t)
    hit(proxy, fault, 2, isPut)
    assert.deepEqual((await second.shared()).notices, [])
    assert.deepEqual(outcomes((await first.shared()).last), RESTORED)
    assert.ok(first.isRight())
  })
}

test('a push that is refused is one warning and fails no run; the next push makes up for it', async (t) => {
  const { first, second, proxy } = await makePair(t)
  hit(proxy, FAULTS['403']!, Infinity, isPut)
  const { notices } = await second.shared()
  assert.deepEqual(
    notices.map((notice) => notice['code']),
    ['REMOTE_FAILED'],
  )
  proxy.fault = () => undefined
  assert.equal((await second.run('push')).code, 0)
  assert.deepEqual(outcomes((await first.shared()).last), RESTORED)
  assert.ok(first.isRight())
})

for (const [what, isHeld] of Object.entries({
  'in the middle of a large object': ({ url }: Asked) => /objects\/.*[?&]partNumber=2/.test(url),
  'before the objects': (asked: Asked) => isPut(asked) && isObject(asked),
  'before what says that a result is there': (asked: Asked) => isPut(asked) && asked.url.includes('/results/make/'),
})) {
  test(`a run that is killed ${what} leaves nothing that is taken for whole`, async (t) => {
    const { first, second, proxy } = await makePair(t)
    hit(proxy, { kind: 'held' }, Infinity, isHeld)
    const { child, ended } = second.start(['run'])
    await until(
      () => Promise.resolve(proxy.asked.some(isHeld)),
      (isSeen) => isSeen,
    )
    child.kill('SIGKILL')
    await ended
    const { last, notices } = await first.shared()
    assert.deepEqual([outcomes(last)[0], notices, first.isRight()], ['make: ran', [], true])
    proxy.fault = () => undefined
    assert.deepEqual((await second.shared()).notices, [])
    assert.ok(second.isRight())
  })
}

test('two projects at once on one server: both come out right, and leave what is whole', async (t) => {
  const { first, second } = await makePair(t)
  await Promise.all([first.shared(), second.shared()])
  assert.ok(first.isRight() && second.isRight())
  const late = new Sharing(t, first.read('pipeline.yaml').match(/^remote: (.*)$/m)![1]!, first.env)
  const { last, notices } = await late.shared()
  assert.deepEqual([outcomes(last), notices, late.isRight()], [RESTORED, [], true])
})

const isLease = ({ url }: Asked): boolean => url.includes('/leases/')

test('a stage that runs asks for its lease in one request, and releases it in one', async (t) => {
  const { second, proxy } = await makePair(t)
  await second.shared()
  const methods = proxy.asked
    .filter((asked) => isLease(asked) && asked.url.includes('/make/'))
    .map(({ method }) => method)
  assert.deepEqual(methods, ['PUT', 'DELETE'])
  const at = (verb: string, part: string) =>
    proxy.asked.findIndex(({ method, url }) => method === verb && url.includes(part))
  assert.ok(at('DELETE', '/leases/make/') > at('PUT', '/results/make/'), 'who waits finds the result')
})

for (const [name, fault] of Object.entries({ ...FAULTS, held: { kind: 'held' } as const })) {
  if (!['403', '500', 'held'].includes(name)) continue
  test(`leases that are always ${name} cost bounded time and one warning, and all is shared without`, async (t) => {
    const { first, second, proxy } = await makePair(t)
    hit(proxy, fault, Infinity, isLease)
    const started = performance.now()
    const { last, notices } = await second.shared()
    assert.deepEqual(outcomes(last), ['make: ran', 'join: ran'])
    assert.deepEqual(
      notices.map(({ code }) => code),
      ['REMOTE_LEASE_FAILED'],
    )
    assert.ok(performance.now() - started < 60_000)
    assert.deepEqual(outcomes((await first.shared()).last), RESTORED)
  })
}

test('a bucket that is not there is named', async (t) => {
  const place = new Sharing(t, 's3://no-such-bucket/a', { ...ACCESS, AWS_ENDPOINT_URL: server.address })
  const { last, notices } = await place.shared()
  assert.deepEqual([outcomes(last), notices.length], [['make: ran', 'join: ran'], 1])
  assert.match(String(notices[0]!['message']), /NoSuchBucket/)
})
