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

describe('the drawing of the stages', () => {
  const from = (...stages: string[]) => ({
    stage: { in: Object.fromEntries(stages.map((stage) => [stage, { kind: 'stage', stage }])) },
  })
  const ran = { outcome: 'ran', seconds: 2, device: null } as const
  const fresh = { outcome: 'fresh', seconds: 7, device: null } as const
  const cells = { b: { stage: 'evaluate[a]' }, c: { stage: 'evaluate[b]' } }
  const stages: RunPart['stages'] = {
    'a<b': { ...fresh, ...from() },
    train: { ...ran, ...from('a<b') },
    'evaluate[a]': { ...fresh, ...from('a<b') },
    'evaluate[b]': { ...ran, ...from('train') },
    report: { ...fresh, outcome: 'failed', stage: { in: { scores: { kind: 'gather', cells } } } },
  }
  const [svg = ''] = /<svg[^]*<\/svg>/.exec(joinReport('', { ...run, stages })) ?? []

  it('has a box for each, one for all cells of a matrix, and a line for what each reads', () => {
    const texts = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text)
    assert.deepEqual(texts, [
      ...['a&#60;b', 'was there, 7.0\u00a0s', 'train', 'ran, 2.0\u00a0s'],
      ...['evaluate × 2', '1 of 2 ran, 2.0\u00a0s', 'report', 'failed, 7.0\u00a0s'],
    ])
    assert.equal(svg.match(/<path /g)?.length, 4)
  })

  it('has each below what it reads, and nothing outside', () => {
    const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number)
    const boxes = [...svg.matchAll(/x="([\d.]+)"\s+y="([\d.]+)"\s+width="128"/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ])
    const [first, train, evaluate, report] = boxes.map(([, y]) => y!)
    assert.ok(first! < train! && train! < evaluate! && evaluate! < report!, String(boxes))
    for (const [x, y] of boxes) assert.ok(x! >= 0 && x! + 128 <= width! && y! >= 0 && y! + 44 <= height!)
  })

  it('is left out where it would be no picture', () => {
    const many = Object.fromEntries(Array.from({ length: 61 }, (_, i) => [`stage-${i}`, ran]))
    for (const none of [many, { distill: ran }]) assert.ok(!joinReport('', { ...run, stages: none }).includes('<svg'))
  })
})

it('takes the record of an experiment as it is', () => {
  const join: JoinReport = joinReport
  assert.equal(join, joinReport)
})
