import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Models } from '../../lib/report/compare.ts'
import { makeReport } from '../../lib/report/page.ts'
import { makeSweep } from '../../lib/report/sweep.ts'
import { answers, losses, makeScores } from './models.ts'

const options = { title: 'A sweep', notes: [], parameters: {} }
const axes = ['temperature', 'alpha']
const models: Models = {
  baseline: makeScores({ right: answers(600, 0.45, 2), documents: losses(40, 1.9, 4) }),
  control: makeScores({ right: answers(600, 0.4, 3), documents: losses(40, 1.9, 3) }),
}
const student = (share: number, rate: number, salt: number) =>
  makeScores({ right: answers(600, share, salt), documents: losses(40, rate, salt) })
const students: Models = {
  '1,0.5': student(0.4, 1.9, 5),
  '1,0.9': student(0.44, 1.9, 9), // p = .034 by itself
  '4,0.5': student(0.6, 1.2, 7),
  '4,0.9': student(0.3, 2.5, 8),
}

describe('a sweep', () => {
  const { cells, rivals } = makeSweep(models, { axes, students })
  const of = (name: string, rival: string, measure: string) =>
    cells
      .find(({ row }) => row.cell.name === name)!
      .comparisons.find((one) => one.b === rival && one.measure === measure)!

  it('holds every student against the control and the untouched one, on each measure', () => {
    assert.deepEqual(rivals, ['control', 'baseline'])
    assert.deepEqual(
      cells.map(({ values, comparisons }) => [values, comparisons.length]),
      [
        [['1', '0.5'], 6],
        [['1', '0.9'], 6],
        [['4', '0.5'], 6],
        [['4', '0.9'], 6],
      ],
    )
  })

  it('corrects for the number of students: what stands by itself may not stand among four', () => {
    const alone = makeSweep(models, { axes, students: { '1,0.9': students['1,0.9']! } }).cells[0]!.comparisons[0]!
    assert.deepEqual([alone.measure, alone.verdict], ['accNorm', 'better'])
    const among = of('1,0.9', 'control', 'accNorm')
    assert.equal(among.p, 2 * alone.p!) // the third smallest of four
    assert.equal(among.verdict, 'no difference shown')
    assert.equal(of('4,0.5', 'control', 'accNorm').verdict, 'better')
    assert.equal(of('4,0.9', 'control', 'accNorm').verdict, 'worse')
    assert.equal(of('4,0.5', 'control', 'perplexity').verdict, 'better')
    assert.equal(of('1,0.5', 'control', 'perplexity').verdict, 'no difference shown')
  })

  it('refuses names of axes that are not those of the matrix', () => {
    assert.throws(() => makeSweep(models, { axes: ['temperature'], students }), {
      code: 'SWEEP_AXES',
      message: /The cell "1,0\.5" of the sweep has 2 values, but `sweep\.axes` names 1: temperature\./,
    })
  })
})

describe('the page of a sweep', () => {
  const { page, metrics } = makeReport(models, {}, options, { axes, students })
  const headline = /class="verdict">\s*(.*?)\s*<\/p>/s.exec(page)![1]!

  it('counts the sides, each rival by itself', () => {
    assert.match(headline, /1 of 4 distilled students answer worse than the control trained without the teacher\./)
    assert.match(headline, /1 of 4 distilled students answer better than the untouched student\./)
  })

  it('names no side where no test allows it', () => {
    const alike: Models = { '1': student(0.4, 1.9, 3), '2': student(0.4, 1.9, 5) }
    const { control } = models
    const { page: quiet } = makeReport({ control: control! }, {}, options, { axes: ['temperature'], students: alike })
    assert.deepEqual(quiet.match(/\b(?:better|worse)\b/gi), null)
    assert.match(quiet, /no difference shown between any of the 2 distilled students and the control/)
    const { page: single } = makeReport({}, {}, options, { axes: ['temperature'], students: alike })
    assert.match(single, /2 distilled students, without a test between them/)
  })

  it('draws a dot each student in both charts, described in words, and a line each alpha', () => {
    for (const id of ['sweep-items', 'sweep-perplexity']) {
      const chart = new RegExp(`<svg[^>]*chart-${id}.*?</svg>`, 's').exec(page)![0]
      const drawn = (colour: string) => chart.match(new RegExp(`fill="var\\(--${colour}\\)"`, 'g'))?.length
      assert.deepEqual([drawn('student'), drawn('other')], [2, 2])
      assert.match(chart, /<desc [^>]*>alpha 0\.5: .* at temperature 1, .* at temperature 4; alpha 0\.9: .*; Control/)
    }
  })

  it('lists every student, and says how its tests are to be read', () => {
    assert.equal(page.match(/data-label="Against the untouched student"/g)?.length, 4)
    assert.match(page, /adjusted by Holm/)
    const { sweep } = metrics as { sweep: { axes: string[]; students: Record<string, { accNorm: number }> } }
    assert.deepEqual([sweep.axes, Object.keys(sweep.students)], [axes, Object.keys(students)])
    assert.equal(sweep.students['4,0.5']!.accNorm, students['4,0.5']!.items!.accNorm)
  })
})
