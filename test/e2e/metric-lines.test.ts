import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import type { Place } from './command.ts'
import { makeTrained, METRICS } from './trained.ts'

const linesOf = (file: string): unknown[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)

const shown = async (place: Place, hash: string): Promise<{ metricsFile: string | null }> =>
  JSON.parse((await place.run('show', hash, '--json')).out) as { metricsFile: string | null }

it('metrics.jsonl has every point of every training and the metrics, and stays with a pinned experiment', async (t) => {
  const place = makeTrained(t)
  const hash = String((await place.lines()).last['experiment'])
  const file = join(place.root, 'artifacts', 'experiments', hash, 'metrics.jsonl')
  const points = (stage: string, rate: number): unknown[] =>
    [1, 2, 3].map((step) => ({ stage, step, epoch: step / 3, loss: rate / step, terms: { kl: step / 4 }, rate }))
  assert.deepEqual(linesOf(file), [
    ...points('distill[2]', 2),
    ...points('distill[0.9]', 0.9),
    ...points('control', 1),
    { metrics: METRICS },
  ])
  assert.equal((await shown(place, hash)).metricsFile, file)

  // one that was recorded without gets it from a run in which nothing runs
  rmSync(file)
  assert.equal((await shown(place, hash)).metricsFile, null)
  await place.run('run')
  assert.equal(linesOf(file).length, 10)

  await place.run('pin', hash)
  rmSync(join(place.root, 'artifacts'), { recursive: true })
  const pinned = join(place.root, 'experiments', hash, 'metrics.jsonl')
  assert.equal((await shown(place, hash)).metricsFile, pinned)
  assert.equal(linesOf(pinned).length, 10)
})

it('curves of another form are left out with a warning, and the run does not fail', async (t) => {
  const place = makeTrained(t)
  place.write(
    'train.mjs',
    "import { writeFileSync } from 'node:fs'\nwriteFileSync(process.argv[3], '\\n{\"epoch\": 1}\\n')\n",
  )
  const { code, lines, last } = await place.lines('control')
  assert.equal(code, 0)
  const notices = lines.filter(({ type }) => type === 'notice')
  assert.deepEqual(
    notices.map(({ stage, code: what }) => [stage, what]),
    [['control', 'CURVES_UNREADABLE']],
  )
  assert.match(String(notices[0]?.['message']), /line 2 is no JSON object with a number `step`\. Write JSON lines/)
  const file = join(place.root, 'artifacts', 'experiments', String(last['experiment']), 'metrics.jsonl')
  assert.deepEqual(linesOf(file), [{ metrics: {} }])
})
