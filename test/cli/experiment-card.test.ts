import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { experimentCard } from '../../lib/cli/experiment-card.ts'
import type { ExperimentRecord } from '../../lib/pipeline/experiment.ts'
import type { JsonObject } from '../../lib/util/json.ts'

const recorded = join(import.meta.dirname, '../../bench/results/default.metrics.json')
const { metrics } = JSON.parse(readFileSync(recorded, 'utf8')) as { metrics: JsonObject }

const card = (found: JsonObject): string => {
  const record = {
    hash: 'abc',
    at: '2026-01-02T03:04:05.000Z',
    stages: { distill: { with: { rate: 0.002, 'a|b': 'x' } } },
    git: { commit: null, dirty: null },
    metrics: found,
  }
  return experimentCard(record as unknown as ExperimentRecord, { student: '`builtin:student`', teacher: undefined })
}

it("the card of an experiment has the report's scores with their intervals, and its verdicts on the student", () => {
  const text = card(metrics)
  const { acc, standardError, comparisons } = metrics as unknown as {
    acc: Record<string, number>
    standardError: { acc: Record<string, number> }
    comparisons: { a: string; verdict: string }[]
  }
  assert.match(text, /\| {2}\| teacher \| baseline \| control \| student \|\n/)
  const [, ...cells] = /\| acc \| (.*) \| (.*) \| (.*) \| (.*) \|\n/.exec(text) ?? []
  for (const [i, name] of ['teacher', 'baseline', 'control', 'student'].entries()) {
    const [value, low, high] = [...cells[i]!.matchAll(/[\d.]+/g)].map(Number)
    assert.ok(Math.abs(value! - acc[name]!) < 1e-5, cells[i])
    assert.ok(Math.abs((high! - low!) / 2 - 1.96 * standardError.acc[name]!) < 1e-3, cells[i])
    assert.ok(Math.abs((high! + low!) / 2 - acc[name]!) < 1e-3, cells[i])
  }
  const lines = [...text.matchAll(/^- Student, distilled, against .*: (.*)\.$/gm)].map(([, verdict]) => verdict)
  assert.deepEqual(
    lines,
    comparisons.filter(({ a }) => a === 'student').map(({ verdict }) => verdict),
  )
  assert.match(text, /acc [+−]\d+\.\d points \(95 % interval [+−]?\d+\.\d to [+−]?\d+\.\d; p\W[=<]\W0\.\d+\): /)
})

it('says what it does not know, and invents no score', () => {
  const text = card({ note: 'none' })
  assert.match(text, /experiment `abc`, recorded 2026-01-02\./)
  assert.match(
    text,
    /\| student \| `builtin:student` \|\n\| teacher \| not known \|\n\| code \| not in git when it ran \|/,
  )
  assert.match(text, /\| rate \| 0\.002 \|\n\| a\\\|b \| x \|/)
  assert.match(text, /### Scores\n\nThe experiment has no scores\.$/)
})
