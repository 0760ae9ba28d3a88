import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Models } from '../../lib/report/compare.ts'
import { makeReport } from '../../lib/report/page.ts'
import type { ReportOptions } from '../../lib/report/page.ts'
import { answers, losses, makeCurve, makeScores } from './models.ts'

const options: ReportOptions = {
  title: 'A small model taught by a big one',
  notes: ['Half of the statements are wrong.'],
  parameters: { seed: 7, distill: { temperature: 2, rate: { peak: 0.002 } } },
  baselineLine: { label: 'GPT-2 124M, published', value: 0.2955 },
}

const clear: Models = {
  student: makeScores({ right: answers(600, 0.5, 4), documents: losses(40, 1.2, 2) }),
  control: makeScores({ right: answers(600, 0.3, 3), documents: losses(40, 1.9, 3) }),
  baseline: makeScores({ right: answers(600, 0.4, 2), documents: losses(40, 1.5, 4) }),
  teacher: makeScores({ right: answers(600, 0.9, 1), documents: losses(40, 0.9, 1) }),
}
const curves = { student: makeCurve(500, 5, 1, true), control: makeCurve(500, 5, 2, false) }

/** Models between which no test finds anything. */
const alike: Models = {
  student: makeScores({ right: answers(200, 0.4, 4), documents: losses(40, 1.5, 2) }),
  control: makeScores({ right: answers(200, 0.39, 3), documents: losses(40, 1.5, 3) }),
  baseline: makeScores({ right: answers(200, 0.4, 2), documents: losses(40, 1.5, 4) }),
}

const sides = /\b(?:better|worse)\b/gi

describe('the words of the page', () => {
  it('never name a side where no test allows it', () => {
    const { page, metrics } = makeReport(alike, curves, options)
    const verdicts = (metrics['comparisons'] as { verdict: string }[]).map((comparison) => comparison.verdict)
    assert.deepEqual([...new Set(verdicts)], ['no difference shown'])
    assert.deepEqual(page.match(sides), null)
    assert.match(page, /On the questions, no difference shown between the distilled student and the control/)
    assert.match(page, /would often be missed/)
  })

  it('never name a side without enough documents for a test', () => {
    const few: Models = {
      student: makeScores({ right: null, documents: losses(5, 1) }),
      control: makeScores({ right: null, documents: losses(5, 2) }),
    }
    const { page } = makeReport(few, {}, options)
    assert.deepEqual(page.match(sides), null)
    assert.match(page, /too few documents for a test/)
  })

  it('name it where the test does', () => {
    const { page } = makeReport(clear, curves, options)
    assert.match(page, /The distilled student answers better than the control trained without the teacher\./)
  })

  it('say so when the student fell back', () => {
    const swapped: Models = { student: clear['control']!, control: clear['student']! }
    assert.match(makeReport(swapped, {}, options).page, /The distilled student answers worse than the control/)
  })

  it('warn where the distance to the control is partly its own loss', () => {
    assert.match(makeReport(clear, curves, options).page, /The control itself ended worse than the untouched student/)
    const steady = { ...clear, baseline: makeScores({ right: answers(600, 0.3, 3), documents: losses(40, 1.9, 3) }) }
    assert.doesNotMatch(makeReport(steady, curves, options).page, /The control itself ended/)
  })

  it('do not compare perplexities over different tokens', () => {
    const other: Models = {
      ...clear,
      control: makeScores({ right: answers(600, 0.3, 3), documents: losses(41, 1.9, 3) }),
    }
    const { page, metrics } = makeReport(other, {}, options)
    const compared = metrics['comparisons'] as { a: string; b: string; measure: string }[]
    assert.ok(!compared.some(({ a, b, measure }) => a === 'student' && b === 'control' && measure === 'perplexity'))
    assert.match(page, /they must not be compared, and are not/)
  })
})

describe('the page', () => {
  const { page, metrics } = makeReport(clear, curves, options)

  it('is the same bytes whatever was drawn before: a pure function of its inputs', () => {
    assert.equal(makeReport(clear, curves, options).page, page)
  })

  it('needs no network and no script', () => {
    assert.deepEqual(page.match(/<script|<link|<iframe|<img|@import|url\((?!#)|\bsrc=|\bhref=|https?:/gi), null)
    assert.match(page, /default-src 'none'/)
  })

  it('draws in colours of the page, so that it can be read in light, in dark and printed', () => {
    const drawn = page.match(/<svg.*?<\/svg>/gs) ?? []
    assert.ok(drawn.length >= 5)
    for (const svg of drawn)
      assert.deepEqual(svg.replace(/<clipPath.*?<\/clipPath>/gs, '').match(/#[0-9a-f]{3,6}\b|rgba?\(/gi), null)
  })

  it('names and describes every chart', () => {
    const charts = page.match(/<svg[^>]*role="img".*?<\/svg>/gs) ?? []
    assert.equal(charts.length, 7) // scores twice (one is shown), validation, loss, distance, rate, norm
    for (const chart of charts) {
      const [, title, description] = /aria-labelledby="(\S+) (\S+)"/.exec(chart)!
      assert.match(chart, new RegExp(`<title id="${title}">.+</title><desc id="${description}">.+</desc>`))
    }
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1])
    assert.equal(new Set(ids).size, ids.length, 'an id stands twice')
  })

  it('shows chance, the published score, the parameters and five prompts by four models', () => {
    for (const shown of [
      'Guessing, 25\u00a0%',
      'GPT-2 124M, published, 29.55\u00a0%',
      'rate.peak',
      'Half of the statements',
    ]) {
      assert.ok(page.includes(shown), shown)
    }
    assert.equal(page.match(/<article class="prompt">/g)?.length, 5)
    assert.equal(page.match(/<h4 /g)?.length, 20)
  })

  it('shows perplexity per word, both kinds of acc_norm and activities where scores have them', () => {
    const estimate = { value: 0.5, standardError: 0.02, low: 0.46, high: 0.54 }
    const estimates = { acc: estimate, accNormByTokens: estimate, accNormByCharacters: { ...estimate, value: 0.515 } }
    const [student, control] = [clear['student']!, clear['control']!]
    const activities = [{ activity: 'Running <fast>', count: 600, acc: 0.25, accNorm: 0.125 }]
    const { nll } = student.perplexity
    const more = {
      student: {
        ...student,
        perplexity: { ...student.perplexity, words: 3000, valuePerWord: Math.exp(nll / 3000) },
        items: { ...student.items!, estimates, activities },
      },
      control,
    }
    const { page: told, metrics: found } = makeReport(more, {}, options)
    assert.doesNotMatch(page, /per word|<details>/i)
    assert.match(told, /<th scope="col">Perplexity per word<\/th>/)
    assert.match(told, /the text\u2019s 3,000 words/)
    assert.deepEqual(found['perplexityPerWord'], { student: Math.exp(nll / 3000) })
    assert.match(told, /acc_norm by characters">\s*<span\s*>51\.5\u00a0% <span class="quiet">± 2\.0<\/span/)
    assert.match(told, /± 2\.0<\/span\s*><span class="interval">46\.0 to 54\.0\u00a0%<\/span>/)
    assert.match(told, /<summary>By activity<\/summary>/)
    assert.match(told, /Running &#60;fast&#62;<\/th>\s*<td data-label="Items">600<\/td>.*12\.5\u00a0%/s)
  })

  it('shows the interval of the last words, and no activities where the items have none', () => {
    const estimate = { value: 0.5, standardError: 0.02, low: 0.46, high: 0.54 }
    const { student } = clear
    const lastWords = {
      ...{ count: 2, acc: estimate, perplexity: { value: 12, low: 9.5, high: 15.25 }, convention: 'Last words.' },
      results: [true, false].map((right) => ({ right, logProb: -2, tokens: 1 })),
    }
    const items = { ...student!.items!, activities: [] }
    const { page: told } = makeReport({ student: { ...student!, items, lastWords } }, {}, options)
    assert.match(told, /<span>12\.00<span class="interval">9\.50 to 15\.25<\/span><\/span>/)
    assert.doesNotMatch(told, /By activity/)
  })

  it('shows the form of the targets, its size and how far it deviates, where they were given', () => {
    const deviations = [
      { use: 'bucket', temperature: 2, angle: 12.345, normRatio: 0.9 },
      { use: 'renormalise', temperature: 2, angle: 0.0123, normRatio: 1.25 },
    ]
    const targets = { form: 'topk, k 64', bytesPerToken: 268, plainBytesPerToken: 100_514, tokens: 256, deviations }
    const { page: told } = makeReport(clear, curves, options, { targets })
    assert.match(told, /topk, k 64: 268 bytes a token, where all logits in half precision take\s+100,514\./)
    assert.match(told, /bucket<\/th>\s*<td data-label="Temperature">2<\/td>\s*<td data-label="Angle">12\.3°<\/td>/)
    assert.match(
      told,
      /renormalise<\/th>.*<td data-label="Angle">0\.012°<\/td>\s*<td data-label="Norm ratio">1\.250<\/td>/s,
    )
    assert.doesNotMatch(page, /targets/)
  })

  it('draws how sure the models were, bins of a few places left out', () => {
    const { student } = clear
    const bins = [
      { count: 50, confidence: 0.05, accuracy: 0.1 },
      { count: 19, confidence: 0.15, accuracy: 0.9 },
      { count: 3931, confidence: 0.85, accuracy: 0.8 },
    ]
    const perplexity = { ...student!.perplexity, calibration: { bins, error: 0.0498 } }
    const { page: told } = makeReport({ student: { ...student!, perplexity } }, {}, options)
    assert.match(told, /Expected calibration error:\s+Student, distilled: 5\.0\u00a0%/)
    const chart = /<svg[^>]*chart-calibration.*?<\/svg>/s.exec(told)![0]
    assert.equal(chart.match(/fill="var\(--student\)"/g)?.length, 2)
    assert.doesNotMatch(page, /How sure they are/)
  })

  it('says beside the headline where the task was trained on', () => {
    const { page: told, metrics: found } = makeReport(clear, {}, { ...options, trainedOn: ['HellaSwag', 'PIQA'] })
    assert.match(told, /<b>Trained on the task\.<\/b> Training items of HellaSwag and PIQA stand in the text/)
    assert.deepEqual(found['trainedOn'], ['HellaSwag', 'PIQA'])
    assert.doesNotMatch(page, /Trained on the task/)
    assert.equal(metrics['trainedOn'], undefined)
  })

  it('draws the questions that were asked while it trained, with the published score across', () => {
    const asked = curves.student.map((point, i) => (i % 100 === 99 ? { ...point, accNorm: 0.3 + i / 5000 } : point))
    const { page: told } = makeReport(clear, { student: asked }, options)
    const chart = /<svg[^>]*chart-questions.*?<\/svg>/s.exec(told)![0]
    assert.match(
      chart,
      /Student, distilled: 31\.98 at step 100, 39\.98 at step 500; GPT-2 124M, published: 29\.55 at step 100/,
    )
    assert.doesNotMatch(page, /chart-questions/)
  })

  it('draws no distance to a teacher for a training that had none', () => {
    const control = makeCurve(100, 5, 2, false)
    assert.doesNotMatch(makeReport(clear, { control }, options).page, /Distance to the teacher/)
  })

  it('draws each term of a sum by itself', () => {
    const terms = (step: number) => ({ jsd: 1 / step, 'mse-logits': 30 / step, own: 2 / step })
    const student = makeCurve(100, 5, 2, true).map((point) => ({ ...point, terms: terms(point.step) }))
    const { page: told } = makeReport(clear, { student }, options)
    const figures = [...told.matchAll(/<h3>Distance to the teacher(.*?)<\/h3>.*?<figcaption>(.*?)<\/figcaption>/gs)]
    assert.deepEqual(
      figures.map(([, title, caption]) => [title, caption]),
      [
        [
          ': jsd',
          'By step, generalised Jensen–Shannon divergence in nats per token, at the temperature of the training.',
        ],
        [': mse-logits', 'By step, mean squared difference of the logits.'],
        [': own', 'By step, mean per token, without its weight.'],
      ],
    )
  })

  it('escapes what models, prompts and parameters contain', () => {
    const evil = '<script>alert("1")</script>&'
    const models = { student: makeScores({ model: evil, right: answers(8, 0.5), continuation: evil }) }
    const all = {
      ...options,
      title: evil,
      notes: [evil],
      parameters: { [evil]: evil },
      baselineLine: { label: evil, value: 0.3 },
    }
    const { page: escaped } = makeReport(models, { [evil]: makeCurve(100, 2, 1, true) }, all)
    assert.ok(!escaped.includes('<script'))
    assert.ok(escaped.includes('&#60;script&#62;alert(&#34;1&#34;)'))
  })

  it('gives metrics by cell, with every comparison', () => {
    assert.deepEqual(Object.keys(metrics['perplexity'] as object), ['teacher', 'baseline', 'control', 'student'])
    assert.deepEqual(Object.keys(metrics['accNorm'] as object), ['teacher', 'baseline', 'control', 'student'])
    const first = (metrics['comparisons'] as Record<string, unknown>[])[0]!
    assert.deepEqual([first['a'], first['b'], first['measure'], first['n']], ['student', 'control', 'accNorm', 600])
    assert.deepEqual(JSON.parse(JSON.stringify(metrics)), metrics)
  })

  it('refuses models that were not scored on the same items', () => {
    const other = { ...clear, control: makeScores({ right: answers(599, 0.3), documents: losses(40, 1.9, 3) }) }
    assert.throws(() => makeReport(other, {}, options), { code: 'SCORES_ITEMS_DIFFER' })
    const { student } = clear
    const results = student!.items!.results.map((result) => ({ ...result, label: 3 - result.label }))
    const turned = { ...clear, student: { ...student!, items: { ...student!.items!, results } } }
    assert.throws(() => makeReport(turned, {}, options), { code: 'SCORES_ITEMS_DIFFER' })
  })
})
