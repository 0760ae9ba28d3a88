import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import type { TestContext } from 'node:test'
import { Place, outcomes } from './command.ts'
import type { Line } from './command.ts'

const PIPELINE = `version: 1
metrics: score.metrics
stages:
  train:
    cmd: [node, train.mjs, '\${out.curves}', '\${out.model}']
    out: [curves, model]
    tolerance: { curves: 1e-6, model: { absolute: 1e-3 } }
  score:
    cmd: [node, score.mjs, '\${in.curves}', '\${out.metrics}']
    in: { curves: train.curves }
    out: [metrics: metrics.json]
    tolerance: { metrics: 1e-6 }
  count:
    cmd: [sh, -c, 'wc -l < "$0" > "$1"', '\${in.curves}', '\${out.lines}']
    in: { curves: train.curves, metrics: score.metrics }
    out: [lines]
`

/** Another machine's arithmetic stands in the files `noise` and `noise-model`. */
const TRAIN = `import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
const [curves, model] = process.argv.slice(2)
const noise = (file) => existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
writeFileSync(curves, [1, 2, 3].map((step) => JSON.stringify({ step, loss: 3 / step + noise('noise') }) + '\\n').join(''))
const weights = new Float32Array(6).fill(0.5 + noise('noise-model'))
const header = Buffer.from(JSON.stringify({ w: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] } }))
const length = Buffer.alloc(8)
length.writeBigUInt64LE(BigInt(header.length))
mkdirSync(model)
writeFileSync(model + '/model.safetensors', Buffer.concat([length, header, Buffer.from(weights.buffer)]))
writeFileSync(model + '/config.json', '{}')
`

const SCORE = `import { readFileSync, writeFileSync } from 'node:fs'
const [curves, out] = process.argv.slice(2)
const lines = readFileSync(curves, 'utf8').trim().split('\\n').map((line) => JSON.parse(line))
writeFileSync(out, JSON.stringify({ mean: lines.reduce((sum, { loss }) => sum + loss, 0) / lines.length }))
`

function write(place: Place): void {
  place.write('pipeline.yaml', PIPELINE)
  place.write('train.mjs', TRAIN)
  place.write('score.mjs', SCORE)
}

async function recorded(t: TestContext): Promise<{ place: Place; hash: string }> {
  const place = new Place(t)
  write(place)
  const { code, last } = await place.lines()
  assert.equal(code, 0)
  return { place, hash: String(last.experiment) }
}

async function reproduce(place: Place, hash: string) {
  const { code, out } = await place.run('reproduce', hash, '--json')
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  const last = lines.at(-1)! as Line & { readonly stages: readonly { name: string; result: string; seconds: number }[] }
  const failures = lines.flatMap((line) =>
    line.type === 'failure' ? [(line['failure'] as { message: string }).message] : [],
  )
  const notices = lines.flatMap((line) =>
    line.type === 'notice' ? [`${String(line['code'])} ${String(line['message'])}`] : [],
  )
  return { code, last, results: last.stages.map(({ name, result }) => `${name}: ${result}`), failures, notices }
}

it('numbers within the declared tolerance are `within`, and what reads them runs on with them', async (t) => {
  const { place, hash } = await recorded(t)
  assert.deepEqual((await reproduce(place, hash)).results, ['train: identical', 'score: identical', 'count: identical'])
  place.write('noise', '1e-7')
  place.write('noise-model', '5e-4')
  const { code, last, results, notices } = await reproduce(place, hash)
  assert.deepEqual([code, results], [0, ['train: within', 'score: within', 'count: identical']])
  assert.deepEqual([last.type, last['experiment']], ['reproduced', hash])
  assert.deepEqual(Object.keys(last.stages[0]!), ['name', 'result', 'seconds'])
  assert.equal(notices.length, 3)
  assert.match(notices[0]!, /^WITHIN_TOLERANCE Output "curves" of "train" .* at most 1e-7 from the recorded ones\.$/)
  assert.match(notices[1]!, /"model" of "train" .* at most 0\.0005 /)
  const words = await place.run('reproduce', hash)
  assert.match(words.out, /\nidentical {2}count\nwithin {5}train, score\n$/)
})

it('names the first stage beyond its tolerance, and where', async (t) => {
  const { place, hash } = await recorded(t)
  place.write('noise', '1e-5')
  const first = await reproduce(place, hash)
  assert.deepEqual([first.code, first.results], [1, ['train: different', 'score: different', 'count: identical']])
  assert.match(
    first.failures[0]!,
    /^"train" is the first stage .* other bytes for "curves" \(line 1, loss: 3 recorded, 3\.00001 here\) from the same code and inputs\./,
  )
  // the model alone is beyond
  place.write('noise', '1e-7')
  place.write('noise-model', '2e-3')
  const second = await reproduce(place, hash)
  assert.deepEqual(second.results, ['train: different', 'score: within', 'count: identical'])
  assert.match(
    second.failures[0]!,
    /for "model" \("model\.safetensors", tensor "w" \[0, 0\]: 0\.5 recorded, 0\.50199\d* here\) /,
  )
  // a stage without a tolerance, given inputs that were within theirs
  place.write('noise-model', '0')
  place.write('pipeline.yaml', PIPELINE.replace('    tolerance: { metrics: 1e-6 }\n', ''))
  const { last } = await place.lines('--force')
  place.write('noise', '2e-7')
  const third = await reproduce(place, String(last.experiment))
  assert.deepEqual(third.results, ['train: within', 'score: different', 'count: identical'])
  assert.match(
    third.failures[0]!,
    /^"score" .* "metrics" \(mean: .*\) from the same code and with inputs within tolerance \(of "train"\)\./,
  )
})

it('a tolerance is in no key and in the record: changed, nothing runs and the next reproduction knows it', async (t) => {
  const { place, hash } = await recorded(t)
  place.write('noise', '1e-7')
  assert.equal((await reproduce(place, hash)).code, 0)
  place.write('pipeline.yaml', PIPELINE.replace('curves: 1e-6', 'curves: 1e-9'))
  const { last } = await place.lines()
  assert.deepEqual([last.experiment, outcomes(last)], [hash, ['train: fresh', 'score: fresh', 'count: fresh']])
  assert.deepEqual((await reproduce(place, hash)).results, ['train: different', 'score: within', 'count: identical'])
})

it('without the store small files are compared with those that the experiment keeps; of the rest it says so', async (t) => {
  const { place, hash } = await recorded(t)
  assert.equal((await place.run('pin', hash)).code, 0)
  const clone = new Place(t)
  write(clone)
  cpSync(join(place.root, 'experiments'), join(clone.root, 'experiments'), { recursive: true })
  clone.write('noise', '1e-7')
  const near = await reproduce(clone, hash)
  assert.deepEqual([near.code, near.results], [0, ['train: within', 'score: within', 'count: identical']])
  clone.write('noise-model', '5e-4')
  const far = await reproduce(clone, hash)
  assert.deepEqual([far.code, far.results[0]], [1, 'train: different'])
  assert.match(
    far.failures[0]!,
    /for "model" \(the recorded one is not here, so that its numbers cannot be held against/,
  )
  // what was kept is not what was recorded: it is not taken for it
  clone.write('noise-model', '0')
  const kept = join('experiments', hash, 'outputs')
  const { outputs } = (
    JSON.parse(clone.read(`experiments/${hash}/record.json`)) as {
      stages: Record<string, { outputs: Record<string, string> }>
    }
  ).stages['train']!
  const file = join(kept, outputs['curves']!)
  const nearly = clone.read(file).replace('"loss":3}', '"loss":3.0000001}')
  assert.notEqual(nearly, clone.read(file))
  rmSync(join(clone.root, file))
  clone.write(file, nearly)
  const damaged = await reproduce(clone, hash)
  assert.equal(damaged.code, 1)
  assert.match(damaged.failures[0]!, /for "curves" \(the recorded one is not here/)
})
