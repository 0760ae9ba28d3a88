import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { readAgreement } from '../../lib/report/agreement.ts'
import type { AgreementReport } from '../../lib/report/agreement.ts'
import { makeReport } from '../../lib/report/page.ts'
import { answers, losses, makeScores } from './models.ts'

const folder = mkdtempSync(join(tmpdir(), 'agreement-'))
after(() => rmSync(folder, { recursive: true }))

const next = Array.from({ length: 20 }, (_, i) => {
  return { token: ` <b>${i}`, teacher: 0.3 * 0.8 ** i, student: 0.25 * 0.8 ** i }
})
const agreement = (kl: number): AgreementReport => ({
  ...{ tokens: 4000, kl, top1: 0.625 },
  positions: [0, 1, 2, 4].map((from) => ({ from, tokens: 1000, kl: kl + 0.1 * from, top1: 0.6 + 0.01 * from })),
  prompts: [{ prompt: 'Anna was in the ', next }],
})
const models = { student: makeScores({ right: answers(200, 0.5), documents: losses(30, 1.4) }) }
const options = { title: 'Title', notes: [], parameters: {} }
const agreements = { student: agreement(0.25), baseline: agreement(0.5) }

describe('the page of models that were held against the teacher', () => {
  const { page, metrics } = makeReport(models, {}, options, { agreements })

  it('tells the means, the untouched student first', () => {
    assert.match(page, /Student, untouched: 0\.5; Student, distilled: 0\.25/)
    assert.match(page, /62\.5\u00a0%/)
    assert.deepEqual(metrics['agreement'], {
      kl: { baseline: 0.5, student: 0.25 },
      top1: { baseline: 0.625, student: 0.625 },
    })
  })

  it('draws a dot a group of positions and model, and after a prompt a bar and a dot a model for each token', () => {
    const chart = (id: string): string => new RegExp(`<svg[^>]*chart-${id}.*?</svg>`, 's').exec(page)![0]
    for (const id of ['agreement-kl', 'agreement-top1']) {
      for (const colour of ['student', 'baseline']) {
        assert.equal(chart(id).match(new RegExp(`fill="var\\(--${colour}\\)"`, 'g'))?.length, 4)
      }
    }
    const tokens = chart('next-0')
    for (const colour of ['teacher', 'student', 'baseline']) {
      assert.equal(tokens.match(new RegExp(`fill="var\\(--${colour}\\)"`, 'g'))?.length, 20)
    }
    assert.ok(!page.includes('<b>0') && tokens.includes('␣&lt;b&gt;19'))
  })

  it('has no such part where nobody was', () => {
    const { page: other, metrics: without } = makeReport(models, {}, options)
    assert.doesNotMatch(other, /How near they come/)
    assert.equal(without['agreement'], undefined)
  })
})

describe('an agreement file', () => {
  it('is read as it was written', async () => {
    const file = join(folder, 'a.json')
    writeFileSync(file, JSON.stringify(agreements.student))
    assert.deepEqual(await readAgreement(file), { ok: true, value: agreements.student })
  })

  it('is refused where it is not there, or is something else', async () => {
    const code = async (file: string) => {
      const read = await readAgreement(file)
      return read.ok ? undefined : read.error.code
    }
    assert.equal(await code(join(folder, 'none.json')), 'AGREEMENT_MISSING')
    writeFileSync(join(folder, 'b.json'), '{"tokens":1}')
    assert.equal(await code(join(folder, 'b.json')), 'AGREEMENT_INVALID')
    writeFileSync(join(folder, 'c.json'), '{')
    assert.equal(await code(join(folder, 'c.json')), 'AGREEMENT_INVALID')
  })
})
