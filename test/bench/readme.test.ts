import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fenced, fill, sections } from '../../bench/readme/sections.ts'
import { scalingSections } from '../../bench/scaling/document.ts'
import { FORMS, ringSeconds } from '../../bench/scaling/tables.ts'
import { layoutOf } from '../../lib/data/targets/form.ts'
import type { Form } from '../../lib/data/targets/form.ts'
import { recordSize } from '../../lib/data/targets/records.ts'
import { recorded } from './recorded.ts'

const root = join(import.meta.dirname, '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'results-'))
after(() => rmSync(folder, { recursive: true }))

describe('README.md', () => {
  it('tells what bench/results holds', () => {
    const text = readFileSync(join(root, 'README.md'), 'utf8')
    const filled = fill(text, sections(join(root, 'bench', 'results')))
    assert.equal(text, filled, 'README.md does not tell what bench/results holds: run `npm run readme`')
  })
})

describe('docs/scaling.md', () => {
  it('tells what bench/results and the simulations say', () => {
    const text = readFileSync(join(root, 'docs', 'scaling.md'), 'utf8')
    const filled = fill(text, scalingSections(join(root, 'bench', 'results')))
    assert.equal(text, filled, 'docs/scaling.md does not tell what was measured: run `npm run readme`')
  })

  it('has the bytes a token that the forms take', () => {
    const forms: Form[] = [
      { kind: 'hidden', dtype: 'F16', width: 2560 },
      { kind: 'hidden', dtype: 'I8', width: 2560 },
      { kind: 'topk', vocabulary: 50_257, k: 64, temperatures: [1, 2, 4] },
      { kind: 'sampled', vocabulary: 50_257, samples: 12, temperature: 1, seed: 1 },
    ]
    assert.deepEqual(
      Object.values(FORMS),
      forms.map((form) => recordSize(layoutOf(form))),
    )
  })

  it('breaks even where its formula says', () => {
    const [step, gradients, devices] = [0.024, 4 * 124.4e6, 2]
    const rate = (2 * gradients) / (devices * step)
    assert.ok(Math.abs(ringSeconds(devices, rate) - (devices - 1) * step) < 1e-9)
  })
})

describe('the sections of README.md', () => {
  it('say what has not been run', () => {
    const { results, commands, ...others } = sections(join(folder, 'none'))
    assert.match(commands!, /^\| `run \[stages\.\.\.\]` \| run the stages /m)
    const missing = 'not run yet'
    assert.deepEqual(others, {
      ...{ sweep: missing, seeds: missing, temperature: missing, 'real-pair': missing, speed: missing },
      faults: missing,
    })
    assert.equal(results?.match(/^not run yet$/gm)?.length, 3)
  })

  it('come each from its own file', () => {
    writeFileSync(join(folder, 'default.metrics.json'), JSON.stringify(recorded))
    writeFileSync(join(folder, 'seeds.json'), JSON.stringify({ experiments: [] }))
    writeFileSync(join(folder, 'temperature.txt'), '$ npx pipeline run\n')
    writeFileSync(join(folder, 'a-machine.json'), JSON.stringify({ some: { machine: 'a machine', figures: [] } }))
    const { results, seeds, temperature, speed } = sections(folder)
    assert.match(results!, /^### The embedded default.*Teacher.*^### Real text.*^not run yet$/ms)
    assert.equal(seeds, 'not run yet')
    assert.equal(temperature, '```text\n$ npx pipeline run\n```')
    assert.match(speed!, /^On a machine:/)
    assert.ok(!Object.values({ results, speed }).join('').includes('\u00a0'))
  })
})

describe('filling', () => {
  const text = 'before <!-- a --> old <!-- /a --> after'
  const filled = 'before <!-- a -->\n\nnew $& text\n\n<!-- /a --> after'

  it('replaces what stands between the marks, as it is', () => {
    assert.equal(fill(text, { a: 'new $& text' }), filled)
  })
  it('done twice is done once', () => {
    assert.equal(fill(filled, { a: 'new $& text' }), filled)
  })
  it('refuses a text without the marks', () => {
    assert.throws(() => fill(text, { b: 'new' }), /expected "<!-- b -->"/)
  })
})

describe('a fence', () => {
  it('is longer than any within', () => {
    assert.equal(fenced('one\n```\ntwo\n```\n\n'), '````text\none\n```\ntwo\n```\n````')
  })
})
