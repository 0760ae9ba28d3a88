import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { goneParameters, readSetting, runCommand, withValue } from '../../lib/ui/page/command.ts'
import { STYLE } from '../../lib/report/style.ts'
import { makeTraining } from './place.ts'

const ROOT = join(import.meta.dirname, '..', '..')

describe('the command to run with these parameters', () => {
  const now = { a: 1, b: { c: 'x', d: [1, 2] } }

  it('sets what differs, and nothing else', () => {
    assert.equal(runCommand(['pipeline.yaml'], now, now), 'npx pipeline run')
    const changed = { a: 2, b: { c: 'y', d: [1, 3] } }
    assert.equal(
      runCommand(['pipeline.yaml'], changed, now),
      "npx pipeline run --set a=2 --set b.c=y --set 'b.d=[1,3]'",
    )
  })

  it('lays the same recipes over it, and sets all where the files cannot be read', () => {
    const files = ['pipeline.yaml', 'recipes/a b.yaml']
    assert.equal(runCommand(files, { a: 1 }, null), "npx pipeline run -p 'recipes/a b.yaml' --set a=1")
  })

  it('removes what the files have and the experiment had not, and names what cannot be set any more', () => {
    assert.equal(runCommand(['pipeline.yaml'], { a: 1, z: 3 }, now), 'npx pipeline run --set b.c=null --set \'b.d=null\''.replaceAll("'", '')) // prettier-ignore
    assert.deepEqual(goneParameters({ a: 1, z: 3 }, now), ['z'])
  })

  it('takes what a person writes for a value', () => {
    assert.deepEqual(withValue(now, 'b.c', readSetting('2.5')), { a: 1, b: { c: 2.5, d: [1, 2] } })
    assert.equal(readSetting('forward-kl'), 'forward-kl')
  })

  it('gives an experiment again when a shell runs it, whatever stands in a text', async (t) => {
    const place = makeTraining(t)
    const wanted = { rate: 0.5, slow: 0, words: `a 'quoted' "text": $HOME, true` }
    const { code, last } = await place.lines('--set', 'rate=0.5', '--set', `words=${JSON.stringify(wanted.words)}`)
    assert.equal(code, 0)
    const command = runCommand(['pipeline.yaml'], wanted, { rate: 0.1, slow: 0, words: "it's so" })
    const bin = join(ROOT, 'lib', 'cli', 'bin.cjs')
    const text = `${command.replace('npx pipeline', `"${process.execPath}" "${bin}"`)} --json`
    const { stdout } = await promisify(execFile)('sh', ['-c', text], { cwd: place.root })
    const again = JSON.parse(stdout.trim().split('\n').at(-1)!) as { readonly experiment: string }
    assert.equal(again.experiment, last['experiment'])
  })
})

it('the page has the palette of the report', () => {
  const page = readFileSync(join(ROOT, 'lib', 'ui', 'page', 'page.css'), 'utf8')
  const palette = (css: string) => [...css.matchAll(/--(?!bad)\w+(?:-\w+)*:\s*#[0-9a-f]+/g)].map(([text]) => text.replace(/\s/g, '')) // prettier-ignore
  // the report's third palette is that of print
  assert.deepEqual(palette(page), palette(STYLE.slice(0, STYLE.indexOf('@media print'))))
})
