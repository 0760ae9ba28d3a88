import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { TestContext } from 'node:test'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { S3Remote } from '../../lib/pipeline/remote/s3-remote.ts'
import { outcomes } from '../e2e/command.ts'
import type { Line } from '../e2e/command.ts'
import { Sharing } from '../e2e/sharing.ts'
import { testObjects } from '../pipeline/remote/remotes.ts'
import { startProxy } from './fault-proxy.ts'
import type { Asked, Fault } from './fault-proxy.ts'
import { startSwift } from './swift.ts'
import type { Swift } from './swift.ts'
import { until } from './trackers.ts'

let server: Swift

before(async () => {
  server = await startSwift()
  Object.assign(process.env, server.env, { AWS_ENDPOINT_URL: server.address })
  await new S3Client({ forcePathStyle: true }).send(new CreateBucketCommand({ Bucket: 'bucket' }))
})
after(() => server.stop())

const newPrefix = (): string => randomBytes(4).toString('hex')

testObjects('S3 of OpenStack Swift', () => {
  const prefix = `${newPrefix()}/deep/`
  return Promise.resolve(new S3Remote({ kind: 's3', text: `s3://bucket/${prefix}`, bucket: 'bucket', prefix }))
})

/** A project that has run, and one that has not and sees the server through a proxy. */
async function makePair(t: TestContext) {
  const remote = `s3://bucket/${newPrefix()}`
  const proxy = await startProxy(t, server.address)
  const first = new Sharing(t, remote, { ...server.env, AWS_ENDPOINT_URL: server.address })
  const second = new Sharing(t, remote, { ...server.env, AWS_ENDPOINT_URL: proxy.address })
  return { first, second, proxy }
}

const RESTORED = ['make: restored', 'join: restored']
const codes = (notices: readonly Line[]): unknown[] => notices.map(({ code }) => code)

test('what one project ran another restores and pulls; that Swift knows no conditional request is said once', async (t) => {
  const { first, second } = await makePair(t)
  const { last, notices } = await first.shared()
  assert.deepEqual([outcomes(last), codes(notices)], [['make: ran', 'join: ran'], ['REMOTE_LEASE_FAILED']])
  assert.match(
    String(notices[0]!['message']),
    /"leases\/.*": Conditional object PUTs are not supported\. \(NotImplemented, 501\)/,
  )
  const restored = await second.shared()
  assert.deepEqual([outcomes(restored.last), restored.notices, second.isRight()], [RESTORED, [], true])
  const third = new Sharing(t, first.read('pipeline.yaml').match(/^remote: (.*)$/m)![1]!, first.env)
  assert.equal((await third.run('pull', String(last['experiment']).slice(0, 8))).code, 0)
  assert.deepEqual([outcomes((await third.shared()).last), third.isRight()], [RESTORED, true])
})

test('answers that are cut, then wrong, are asked for again', async (t) => {
  const { first, second, proxy } = await makePair(t)
  await first.shared()
  const faults: readonly Fault[] = [{ kind: 'cut answer', after: 100 }, { kind: 'wrong bytes' }]
  const times = new Map<string, number>()
  proxy.fault = ({ method, url }) => {
    const path = url.replace(/\?.*/, '')
    if (method !== 'GET' || !path.includes('/objects/')) return undefined
    times.set(path, (times.get(path) ?? 0) + 1)
    return faults[times.get(path)! - 1]
  }
  const { last, notices } = await second.shared()
  assert.deepEqual([outcomes(last), notices, second.isRight()], [RESTORED, [], true])
  assert.ok([...times.values()].includes(3))
})

test('a run that is killed in the middle of a large object leaves nothing that is taken for whole', async (t) => {
  const { first, second, proxy } = await makePair(t)
  const isHeld = ({ url }: Asked): boolean => /objects\/.*[?&]partNumber=2/.test(url)
  proxy.fault = (asked) => (isHeld(asked) ? { kind: 'held' } : undefined)
  const { child, ended } = second.start(['run'])
  await until(
    () => Promise.resolve(proxy.asked.some(isHeld)),
    (isSeen) => isSeen,
  )
  child.kill('SIGKILL')
  await ended
  const { last, notices } = await first.shared()
  assert.deepEqual([outcomes(last)[0], codes(notices), first.isRight()], ['make: ran', ['REMOTE_LEASE_FAILED'], true])
  const late = new Sharing(t, first.read('pipeline.yaml').match(/^remote: (.*)$/m)![1]!, first.env)
  assert.deepEqual([outcomes((await late.shared()).last), late.isRight()], [RESTORED, true])
})

test('a key that is not right, and a bucket that is not there, are named', async (t) => {
  for (const [bucket, env, said] of [
    ['no-such-bucket', {}, /NoSuchBucket/],
    ['bucket', { AWS_SECRET_ACCESS_KEY: 'other' }, /SignatureDoesNotMatch/],
  ] as const) {
    const place = new Sharing(t, `s3://${bucket}/a`, { ...server.env, AWS_ENDPOINT_URL: server.address, ...env })
    const { last, notices } = await place.shared()
    assert.deepEqual([outcomes(last), codes(notices)], [['make: ran', 'join: ran'], ['REMOTE_FAILED']])
    assert.match(String(notices[0]!['message']), said)
  }
})
