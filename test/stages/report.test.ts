import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { StageContext } from '../../lib/pipeline/stage.ts'
import report from '../../stages/report.ts'
import { answers, losses, makeCurve, makeScores } from '../report/models.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'report-'))
})
after(() => rm(folder, { recursive: true }))

const runStage = async (inputs: { scores: Record<string, string>; curves?: string; targets?: string }) => {
  const out = { page: join(folder, 'report.html'), metrics: join(folder, 'metrics.json') }
  const context: StageContext<object, 'scores{}' | 'curves?' | 'targets?', 'page' | 'metrics'> = {
    with: { title: 'Title', notes: [], parameters: {} },
    in: inputs,
    out,
    log: () => undefined,
    progress: () => undefined,
    signal: new AbortController().signal,
    checkpoint: folder,
    engine: { name: 'auto', threads: 1 },
    ranOn: () => undefined,
  }
  await report.run(context as never)
  return { page: await readFile(out.page, 'utf8'), metrics: JSON.parse(await readFile(out.metrics, 'utf8')) as object }
}

const writeScores = async (cell: string, share: number, centre: number): Promise<string> => {
  const file = join(folder, `${cell}.json`)
  await writeFile(file, JSON.stringify(makeScores({ right: answers(100, share), documents: losses(30, centre) })))
  return file
}

describe('stages/report.ts', () => {
  it('writes a page and metrics from scores and curves', async () => {
    const scores = { student: await writeScores('student', 0.6, 1), control: await writeScores('control', 0.3, 2) }
    const curves = join(folder, 'curves.jsonl')
    await writeFile(
      curves,
      makeCurve(60, 3, 1, true)
        .map((point) => JSON.stringify(point))
        .join('\n'),
    )
    const { page, metrics } = await runStage({ scores, curves })
    assert.match(page, /^<!doctype html>/i)
    assert.match(page, /Distance to the teacher/)
    assert.deepEqual(Object.keys(metrics), ['models', 'perplexity', 'acc', 'accNorm', 'standardError', 'comparisons'])
  })

  it('shows what was measured beside the targets, and fails by name where that is missing or wrong', async () => {
    const scores = { student: await writeScores('student', 0.6, 1) }
    await assert.rejects(runStage({ scores, targets: folder }), { code: 'MEASURED_MISSING' })
    const measured = { form: 'hidden, dtype F16, width 12', bytesPerToken: 24, plainBytesPerToken: 26, tokens: 256 }
    await writeFile(join(folder, 'measured.json'), JSON.stringify(measured))
    await assert.rejects(runStage({ scores, targets: folder }), { code: 'MEASURED_INVALID', message: /"deviations"/ })
    await writeFile(join(folder, 'measured.json'), JSON.stringify({ ...measured, deviations: [] }))
    const { page } = await runStage({ scores, targets: folder })
    assert.match(page, /hidden, dtype F16, width 12: 24 bytes a token/)
  })

  it('fails by name where a score is missing', async () => {
    await assert.rejects(runStage({ scores: { student: join(folder, 'none.json') } }), { code: 'SCORES_MISSING' })
  })
})
