import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JournalLine } from '../../lib/ui/api.ts'
import { NO_RUN, follow } from '../../lib/ui/page/run-state.ts'
import { thinProgress } from '../../lib/ui/runs.ts'

const progress = (done: number, total = 100): JournalLine => ({ type: 'stage-progress', stage: 'train', done, total, unit: 'steps', loss: 1 / done, time: done }) // prettier-ignore

const BEGIN: JournalLine[] = [
  { type: 'run', at: '2026-01-01', reads: { train: [], measure: ['train'] }, time: 0 },
  { type: 'started', experiment: 'e'.repeat(64), stages: ['train', 'measure'], time: 0 },
  { type: 'stage-started', stage: 'train', key: 'k', reason: 'it has not run yet', log: '/log', time: 1 },
]

describe('a run that is followed', () => {
  it('knows who is at work, how far, and its curve', () => {
    const { stages, reads } = follow(NO_RUN, [...BEGIN, progress(10), progress(20)])
    const [train, measure] = [stages.get('train')!, stages.get('measure')!]
    assert.deepEqual([train.state, train.reason, train.progress?.done, measure.state], ['running', 'it has not run yet', 20, 'waiting']) // prettier-ignore
    assert.deepEqual(train.losses, [[10, 0.1], [20, 0.05]]) // prettier-ignore
    assert.deepEqual(reads['measure'], ['train'])
  })

  it('comes to the same whether it hears all at once or line by line', () => {
    const lines = [...BEGIN, ...Array.from({ length: 30 }, (_, i) => progress(i + 1))]
    const single = lines.reduce((state, line) => follow(state, [line]), NO_RUN)
    assert.deepEqual(single, follow(NO_RUN, lines))
  })

  it('tells failures and how it ended', () => {
    const failure = { code: 'COMMAND_FAILED', message: 'no', place: null } as const
    const state = follow(NO_RUN, [
      ...BEGIN,
      { type: 'failure', stage: 'train', failure, log: null, time: 2 },
      { type: 'stage-finished', name: 'train', key: 'k', outcome: 'failed', seconds: 3, time: 2 },
      { type: 'finished', experiment: null, stages: [], metrics: {}, time: 2 },
    ])
    assert.equal(state.stages.get('train')!.state, 'failed')
    assert.deepEqual([state.failures[0]!.message, state.finished], ['no', 'incomplete'])
  })

  it('stays small however long a training is, and keeps its beginning', () => {
    const lines = Array.from({ length: 9000 }, (_, i) => progress(i + 1, 9000))
    const { losses } = follow(NO_RUN, [...BEGIN, ...lines]).stages.get('train')!
    assert.ok(losses.length <= 2000 && losses.length > 900, String(losses.length))
    assert.equal(losses[0]![0], 1)
    const sent = thinProgress([...BEGIN, ...lines])
    assert.ok(sent.length < 4100)
    assert.deepEqual(sent.slice(0, 3), BEGIN)
  })
})
