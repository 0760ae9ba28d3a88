import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fenced, fill, sections } from '../../bench/readme/sections.ts'
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

describe('the sections of README.md', () => {
  it('say what has not been run', () => {
    const { results, ...others } = sections(join(folder, 'none'))
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
