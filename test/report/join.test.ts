import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JoinReport } from '../../lib/pipeline/experiment.ts'
import { joinReport } from '../../lib/report/join.ts'
import type { RunPart } from '../../lib/report/join.ts'
import { makeReport } from '../../lib/report/page.ts'
import { answers, makeScores } from './models.ts'

const run: RunPart = {
  hash: '3f'.repeat(32),
  at: '2026-01-02T03:04:05.000Z',
  stages: {
    distill: { outcome: 'ran', seconds: 83.4, device: 'onnx-cpu, 2 threads' },
    download: { outcome: 'fresh', seconds: 0.3, device: null },
  },
  git: { commit: 'ab'.repeat(20), dirty: true },
  machine: { platform: 'linux', arch: '<x64>', cores: 2, memory: 8 * 2 ** 30, node: 'v20.20.2' },
}
const models = { student: makeScores({ right: answers(8, 0.5) }) }
const { page } = makeReport(models, {}, { title: 'Title', notes: [], parameters: {} })

describe("the run's part", () => {
  const joined = joinReport(page, run)

  it('stands in the place that the page has for it, once', () => {
    assert.equal(joined.match(/<h2 id="run">/g)?.length, 1)
    assert.ok(!joined.includes('<!-- pipeline:run -->'), 'the mark is still there: page and join disagree about it')
    assert.ok(joined.indexOf('id="run"') > joined.indexOf('<footer>'))
  })

  it('tells the experiment, the commit, the machine, how to reproduce it, and how long each stage took on what', () => {
    for (const told of [
      ...[run.hash, run.git.commit!, 'with changes on top', `npx pipeline reproduce ${'3f'.repeat(8)}<`],
      'linux &#60;x64&#62;, 2\u00a0cores, 8.0\u00a0GiB, Node v20.20.2',
    ]) {
      assert.ok(joined.includes(told), told)
    }
    assert.match(joined, /distill<\/th>.*?ran<.*?1\u00a0min 23\u00a0s<.*?onnx-cpu, 2 threads</s)
    assert.match(joined, /download<\/th>.*?already there<.*?0.30\u00a0s<.*?–</s)
  })

  it('leaves the rest of the page as it is', () => {
    const [head] = page.split('<!-- pipeline:run -->')
    assert.ok(joined.startsWith(head!))
    assert.deepEqual(joined.match(/<script|https?:/g), null)
  })

  it("finds a place in a page of a user's own", () => {
    assert.match(joinReport('<body><p>mine</p></body>', run), /mine<\/p><section.*<\/section><\/body>$/s)
    assert.match(joinReport('mine', run), /^mine<section.*<\/section>$/s)
  })
})

it('takes the record of an experiment as it is', () => {
  const join: JoinReport = joinReport
  assert.equal(join, joinReport)
})
