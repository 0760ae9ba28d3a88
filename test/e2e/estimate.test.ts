import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Place } from './command.ts'

/** `train` says that it ran on the device of its parameter, and takes as many ms as the file `ms` says. */
const PIPELINE = `version: 1
params: { device: 'cuda, NVIDIA H200', n: 1 }
stages:
  train:
    run: train.ts
    with: { device: '\${device}', n: '\${n}' }
    out: [text]
    resources: { gpu: 2 }
    env: [MS_FILE]
  cells:
    cmd: [sh, -c, 'sleep 0.2; cp "$0" "$1"', '\${in.text}', '\${out.text}']
    matrix: { k: [1, 2] }
    with: { k: '\${matrix.k}' }
    in: { text: train.text }
    out: [text]
`

const TRAIN = `import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
export default {
  params: { type: 'object', properties: { device: { type: 'string' }, n: { type: 'number' } } },
  in: [], out: ['text'],
  async run({ with: { device, n }, out, ranOn }: any) {
    ranOn(device)
    await setTimeout(Number(readFileSync(process.env.MS_FILE!, 'utf8')))
    writeFileSync(out.text, String(n))
  },
}
`

interface Planned {
  readonly stages: readonly {
    readonly name: string
    readonly state: string
    readonly estimate: { readonly seconds: number; readonly gpuSeconds: number; readonly results: number } | null
  }[]
  readonly estimate: Readonly<
    Record<'run' | 'mayRun', { readonly seconds: number; readonly gpuSeconds: number; readonly unknown: number }>
  >
}

const close = (found: number, expected: number): void =>
  assert.ok(Math.abs(found - expected) <= 1e-9 * expected, `${found} and ${expected}`)

it('what will run is estimated from the latest results of the stage, with the time of GPUs, and summed up', async (t) => {
  const place = new Place(t)
  place.write('package.json', '{ "type": "module" }')
  place.write('pipeline.yaml', PIPELINE)
  place.write('train.ts', TRAIN)
  place.write('ms', '300')
  place.env['MS_FILE'] = `${place.root}/ms`
  const plan = async (...args: string[]): Promise<Planned> => {
    const { out, code, errors } = await place.run(...args, '--json')
    assert.equal(code, 0, errors)
    return JSON.parse(out) as Planned
  }
  const none = await plan('run', '--dry-run')
  assert.deepEqual(
    none.stages.map(({ estimate }) => estimate),
    [null, null, null],
  )
  assert.deepEqual(none.estimate.run, { seconds: 0, gpuSeconds: 0, unknown: 3 })
  assert.doesNotMatch((await place.run('run', '--dry-run')).out, /about/)

  assert.equal((await place.lines()).code, 0)
  const fresh = await plan('status')
  assert.ok(fresh.stages.every(({ estimate }) => estimate === null))
  const changed = await plan('status', '--set', 'n=2')
  const [train, ...cells] = changed.stages
  assert.deepEqual([train!.state, train!.estimate!.results], ['run', 1])
  assert.ok(train!.estimate!.seconds >= 0.3)
  close(train!.estimate!.gpuSeconds, 2 * train!.estimate!.seconds)
  for (const { state, estimate } of cells) {
    assert.deepEqual([state, estimate!.gpuSeconds, estimate!.results], ['may-run', 0, 1])
    assert.ok(estimate!.seconds >= 0.2)
  }
  const { run, mayRun } = changed.estimate
  close(run.seconds, train!.estimate!.seconds)
  close(run.gpuSeconds, train!.estimate!.gpuSeconds)
  close(mayRun.seconds, cells[0]!.estimate!.seconds + cells[1]!.estimate!.seconds)
  assert.deepEqual([run.unknown, mayRun.unknown], [0, 0])
  const { out } = await place.run('run', '--dry-run', '--set', 'n=2')
  assert.match(out, /^run {6}train \(about [\d.]+ s\) {2}this changed:$/m)
  assert.match(out, /^may run {2}cells\[1\] \(about [\d.]+ s\) {2}it reads "train"$/m)
  assert.match(out, /\n1 run, 2 may run\nabout [\d.]+ s to [\d.]+ s in sum, [\d.]+ s of GPU time\n$/)
  const explained = await plan('explain', 'train', '--set', 'n=2')
  assert.deepEqual(explained.stages[0]!.estimate, train!.estimate)
  const words = (await place.run('explain', 'cells', '--set', 'n=2')).out
  assert.match(words, /\nTime\nabout [\d.]+ s, as the earlier result\n\nabout 0\.00 s to [\d.]+ s in sum\n$/)

  // on a CPU no time of a GPU passes; the latest five results count, and of them the middle one
  place.write('ms', '10')
  for (const n of [3, 4, 5]) await place.lines('train', '--set', `n=${n}`, '--set', 'device=onnx-cpu, 2 threads')
  const later = (await plan('status', '--set', 'n=9')).stages[0]!.estimate!
  assert.deepEqual([later.gpuSeconds, later.results], [0, 4])
  assert.ok(later.seconds < train!.estimate!.seconds)
})
