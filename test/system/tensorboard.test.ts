import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { losses, makeTrained, METRICS } from '../e2e/trained.ts'
import { askPython, startServer, until } from './trackers.ts'

const READ = `import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
print(json.dumps({tag: [[event.step, event.value] for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))
`

const near = (found: readonly (readonly number[])[], expected: readonly (readonly number[])[]): void => {
  assert.deepEqual(
    found.map(([step, value]) => [step, Math.fround(value!)]),
    expected.map(([step, value]) => [step, Math.fround(value!)]),
  )
}

describe('TensorBoard, as PyPI has it', { timeout: 300_000 }, () => {
  const place = makeTrained({ after })
  const folder = join(place.root, 'artifacts', 'tensorboard')
  let name = ''
  before(async () => {
    name = String((await place.lines()).last['experiment']).slice(0, 16)
    assert.equal((await place.run('log', '--to', 'tensorboard')).code, 0)
  })

  it('reads every point by its own reader', () => {
    for (const [stage, rate] of [
      ['distill[2]', 2],
      ['distill[0.9]', 0.9],
      ['control', 1],
    ] as const) {
      const read = askPython(['-c', READ, join(folder, name, stage)]) as Record<string, number[][]>
      assert.deepEqual(Object.keys(read).sort(), ['epoch', 'loss', 'rate', 'terms/kl'])
      near(read['loss']!, losses(rate))
    }
    assert.deepEqual(askPython(['-c', READ, join(folder, name)]), {
      'perplexity/teacher': [[0, METRICS.perplexity.teacher]],
      'perplexity/student': [[0, METRICS.perplexity.student]],
      'cells/distill[2]': [[0, METRICS.cells['distill[2]']]],
    })
  })

  it('serves the curves, and the parameters on its HParams page', async () => {
    const { address, stop } = await startServer('tensorboard', ['--logdir', folder], place.root, '/data/runs')
    try {
      const ask = async (path: string): Promise<unknown> => (await fetch(`${address}/data/${path}`)).json()
      const runs = [name, ...['control', 'distill[0.9]', 'distill[2]'].map((stage) => `${name}/${stage}`)]
      // it loads in the background
      const tags = await until(
        () => ask('plugin/scalars/tags') as Promise<Record<string, object>>,
        (found) => runs.every((run) => Object.keys(found[run] ?? {}).length >= 3),
      )
      assert.deepEqual(Object.keys(tags).sort(), runs)
      const asked = new URLSearchParams({ run: `${name}/distill[0.9]`, tag: 'loss' })
      const points = (await ask(`plugin/scalars/scalars?${asked}`)) as number[][]
      near(
        points.map(([, step, value]) => [step!, value!]),
        losses(0.9),
      )
      const { sessionGroups } = (await (
        await fetch(`${address}/data/plugin/hparams/session_groups`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ allowedStatuses: ['STATUS_UNKNOWN'], sliceSize: 10 }),
        })
      ).json()) as { sessionGroups: { name: string; hparams: object }[] }
      assert.deepEqual(
        sessionGroups.map((group) => [group.name, group.hparams]),
        [[name, { rates: '[2,0.9]', 'note.text': 'a "b"', 'note.list': '[1,2]', 'note.on': true, untouched: 'null' }]],
      )
    } finally {
      await stop()
    }
  })
})
