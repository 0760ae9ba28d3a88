import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Place, outcomes } from './command.ts'
import type { Line } from './command.ts'
import { Sharing, makeShare } from './sharing.ts'

const resultsOf = (json: Line): string[] =>
  (json['stages'] as { stage: string; result: string }[]).map(({ stage, result }) => `${stage}: ${result}`)

test('push and pull take stages, with what these read, hashes, and for a push tags', async (t) => {
  const share = makeShare(t)
  const [first, second] = [new Sharing(t, `file:${share}/old`), new Sharing(t, `file:${share}/new`)]
  const hashes: string[] = []
  for (const n of [1, 2]) hashes.push(String((await first.shared('--set', `n=${n}`)).last['experiment']))
  first.write('pipeline.yaml', second.read('pipeline.yaml'))
  const make = await first.ask('push', 'make')
  assert.deepEqual([resultsOf(make.json), make.json['experiments']], [['make: pushed'], []])
  assert.deepEqual(resultsOf((await second.ask('pull', 'join')).json), ['make: pulled', 'join: absent'])
  assert.equal((await first.run('tag', hashes[1]!, 'best')).code, 0)
  const both = await first.ask('push', hashes[0]!.slice(0, 12), 'best')
  assert.deepEqual([both.code, both.json['experiments']], [0, hashes])
  assert.deepEqual(resultsOf(both.json), ['make: there', 'join: pushed', 'make: pushed', 'join: pushed'])
  assert.equal((await second.run('pull', ...hashes)).code, 0)
  assert.equal((await second.run('diff', hashes[0]!, hashes[1]!)).code, 0)
  assert.deepEqual(outcomes((await second.shared('--set', 'n=2')).last), ['make: restored', 'join: restored'])
  assert.deepEqual(second.ran(), [])
  for (const verb of ['push', 'pull']) {
    const { code, errors } = await second.run(verb, 'mkae')
    assert.equal(code, 2)
    assert.match(errors, /experiment.*"mkae".* Did you mean the stage "make"\? \[EXPERIMENT_UNKNOWN\]/)
  }
})

const NOISY = (remote: string): string => `version: 1
remote: ${remote}
stages:
  train:
    cmd: [sh, -c, 'cat noise > "$0"', '\${out.loss}']
    out: [loss: loss.json]
    tolerance: { loss: 1e-3 }
`

test('a pulled experiment is reproduced within its tolerances, where its results are not', async (t) => {
  const remote = `file:${makeShare(t)}`
  const [first, second] = [new Place(t), new Place(t)]
  for (const [place, loss] of [
    [first, 2],
    [second, 2.0001],
  ] as const) {
    place.write('pipeline.yaml', NOISY(remote))
    place.write('noise', `{"loss":${loss}}`)
  }
  const hash = String((await first.lines()).last['experiment'])
  assert.equal((await second.run('pull', hash)).code, 0)
  rmSync(join(second.root, 'artifacts', 'store'), { recursive: true })
  const { code, out } = await second.run('reproduce', hash)
  assert.equal(code, 0)
  assert.match(out, /\nwithin {5}train\n/)
})
