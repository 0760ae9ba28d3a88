import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { journalFile, journalNames, journalsOf } from '../../lib/pipeline/journal.ts'
import { JournalReader, Runs } from '../../lib/ui/runs.ts'
import { makeTraining } from './place.ts'

describe('the journal of a run', () => {
  it('has what happened, of the run in which something ran', async (t) => {
    const place = makeTraining(t)
    assert.equal((await place.lines()).code, 0)
    const [run] = journalNames(join(place.root, 'artifacts'))
    const lines = new JournalReader(place.root, run!).next()
    const types = [...new Set(lines.map(({ type }) => type))]
    assert.deepEqual(types, ['run', 'started', 'stage-started', 'stage-progress', 'stage-finished', 'finished'])
    assert.deepEqual(lines[0]?.type === 'run' && lines[0].reads, { train: [], measure: ['train'] })
    const [listed] = new Runs(place.root).list()
    assert.deepEqual([listed?.living, listed?.outcome], [false, 'finished'])
    const log = new Runs(place.root).log(run!, 'train')
    assert.match(readFileSync(log!, 'utf8'), /^step 1\n/)

    assert.equal((await place.lines()).code, 0)
    assert.deepEqual(journalNames(join(place.root, 'artifacts')), [run], 'nothing ran, and nothing is written')
  })

  it('lives while its process does, and no longer', async (t) => {
    const place = makeTraining(t)
    const { child, ended } = place.start(['run', '--set', 'slow=300'])
    const runs = new Runs(place.root)
    for (let tries = 0; runs.list().length === 0 && tries < 200; tries++) await delay(50)
    assert.deepEqual([runs.list()[0]!.living, runs.list()[0]!.outcome], [true, null])
    child.kill('SIGKILL')
    await ended
    assert.deepEqual([runs.list()[0]!.living, runs.list()[0]!.outcome], [false, null])
  })

  it('says why a run is incomplete, and where the log of what failed is', async (t) => {
    const place = makeTraining(t)
    place.write('stages/measure.js', `export default { params: {}, in: ['curves'], out: ['metrics', 'page'], async run({ log }) { log('about to'); throw new Error('no') } }`) // prettier-ignore
    assert.equal((await place.lines()).code, 1)
    const runs = new Runs(place.root)
    const [run] = runs.list()
    assert.equal(run!.outcome, 'incomplete')
    const failure = new JournalReader(place.root, run!.id).next().find(({ type }) => type === 'failure')
    assert.match(JSON.stringify(failure), /"message":"[^"]*no/)
    assert.match(readFileSync(runs.log(run!.id, 'measure')!, 'utf8'), /about to/)
  })

  it('gives a line when it is whole, and once', (t) => {
    const place = makeTraining(t)
    mkdirSync(journalsOf(join(place.root, 'artifacts')), { recursive: true })
    const reader = new JournalReader(place.root, 'ab')
    assert.deepEqual(reader.next(), [])
    const file = journalFile(join(place.root, 'artifacts'), 'ab')
    writeFileSync(file, '{"type":"run","at":"x"}\n{"type":"start')
    assert.deepEqual(reader.next().map(({ type }) => type), ['run']) // prettier-ignore
    appendFileSync(file, 'ed","experiment":"é"}\n')
    assert.deepEqual(reader.next().map(({ type }) => type), ['started']) // prettier-ignore
    assert.deepEqual(reader.next(), [])
  })

  it('is one of twenty at most', async (t) => {
    const place = makeTraining(t)
    const folder = journalsOf(join(place.root, 'artifacts'))
    mkdirSync(folder, { recursive: true })
    for (let i = 0; i < 25; i++) writeFileSync(join(folder, `0000000${String(i).padStart(2, '0')}.jsonl`), '')
    assert.equal((await place.lines()).code, 0)
    assert.equal(readdirSync(folder).length, 20)
    assert.ok(!existsSync(join(folder, '000000005.jsonl')) && existsSync(join(folder, '000000006.jsonl')))
  })
})
