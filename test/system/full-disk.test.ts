import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { initialise, saveModel } from '../../lib/model/weights.ts'
import { FILL, Place, outcomes } from '../e2e/command.ts'
import { config as learner } from '../e2e/learner.ts'

describe('a full disk', () => {
  const PIPELINE = `version: 1
params: { megabytes: 3 }
stages:
  fill: { run: fill.ts, with: { megabytes: '\${megabytes}' }, out: [text] }
`
  /** Writes what there is room for and is content with that: nothing is left for the pipeline's own files. */
  const GREEDY = `version: 1
stages:
  fill: { cmd: [sh, -c, 'if [ -e room ]; then echo x > "$1"; else cat /dev/zero > "$1"; fi; true', sh, '\${out.text}'], out: [text] }
`

  /** Fails without a word. */
  const SILENT = GREEDY.replace(/; true'/, "'").replace('"$1"; fi', '"$1" 2> /dev/null; fi')

  it('while a stage writes: said, exit code 1, nothing published, room made', async (t) => {
    const place = smallDisk(t, 'artifacts')
    place.write('fill.ts', FILL)
    place.write('pipeline.yaml', PIPELINE)
    const { code, errors } = await place.run('run')
    assert.match(
      errors,
      /^error: fill\.ts:5:45: Stage "fill": The disk is full: make room and run again\. .*\[DISK_FULL\]/,
    )
    assert.equal(code, 1)
    assert.ok(!place.has('artifacts/fill'))
    assert.deepEqual(place.results('fill'), [])
    const { last } = await place.lines('--set', 'megabytes=0.5')
    assert.deepEqual(outcomes(last), ['fill: ran'])
  })

  it('while the store writes: said, exit code 1, nothing published, and a later run makes it', async (t) => {
    const place = smallDisk(t, 'artifacts')
    place.write('pipeline.yaml', GREEDY)
    const { code, errors } = await place.run('run')
    assert.match(
      errors,
      /^error: The disk is full: make room and run again\. It happened while stage "fill" ran: .*\[DISK_FULL\]/,
    )
    assert.equal(code, 1)
    assert.ok(!place.has('artifacts/fill'))
    assert.deepEqual(place.results('fill'), [])
    place.write('room', '')
    const { last } = await place.lines()
    assert.deepEqual(outcomes(last), ['fill: ran'])
    assert.equal(place.read('artifacts/fill/text'), 'x\n')
  })

  it('while a program writes that does not say so: said all the same, and what it wrote makes room', async (t) => {
    const place = smallDisk(t, 'artifacts')
    place.write('pipeline.yaml', SILENT)
    const { code, errors } = await place.run('run')
    assert.match(
      errors,
      /^error: pipeline\.yaml:3:3: Stage "fill": The disk is full: make room and run again\. \("sh" ended with exit code 1; .*\[DISK_FULL\]/,
    )
    assert.equal(code, 1)
    assert.deepEqual(place.results('fill'), [])
    place.write('room', '')
    const { last } = await place.lines()
    assert.deepEqual(outcomes(last), ['fill: ran'])
  })

  it('before anything ran: said, exit code 1, also where a program reads', async (t) => {
    const place = smallDisk(t, '.')
    place.write('fill.ts', FILL)
    place.write('pipeline.yaml', PIPELINE)
    assert.throws(() => place.write('rest', 'x'.repeat(2e6)), { code: 'ENOSPC' })
    const { code, errors } = await place.run('run')
    assert.match(
      errors,
      /^error: The disk is full: make room and run again\. It happened while the stages were prepared: /,
    )
    assert.equal(code, 1)
    const { last, lines } = await place.lines()
    assert.deepEqual(last, { type: 'finished', experiment: null, stages: [], metrics: {} })
    assert.equal((lines[0]?.failure as { code: string }).code, 'DISK_FULL')
  })

  for (const [format, file] of [
    ['safetensors', 'model.safetensors'],
    ['onnx', 'model.onnx'],
    ['gguf', 'model.gguf'],
  ] as const) {
    it(`while a model is exported as ${format}: said, exit code 1, nothing left of it`, async (t) => {
      const place = smallDisk(t, 'disk')
      const config = { ...learner, vocabSize: 8000, width: 64 } // 2 MB of embeddings
      saveModel(join(place.root, 'm'), { config, weights: initialise(config, 1) }, { eos: 0 })
      cpSync(
        join(import.meta.dirname, '../fixtures/harness/model/tokenizer.json'),
        join(place.root, 'm/tokenizer.json'),
      )
      const { code, out, errors } = await place.run('export', 'file:m', '--to', 'disk/a', '--format', format)
      assert.match(
        errors,
        new RegExp(`^error: The disk is full: "${file}" could not .* not published\\..*\\[DISK_FULL\\]`),
      )
      assert.deepEqual([code, out, readdirSync(join(place.root, 'disk'))], [1, '', []])
    })
  }
})

/** A place of which a folder has 1 MB. */
function smallDisk(t: TestContext, folder: string): Place {
  const mounted: string[] = []
  // before the folder goes
  t.after(() => mounted.forEach((disk) => execFileSync('umount', [disk])))
  const place = new Place(t)
  const disk = join(place.root, folder)
  mkdirSync(disk, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
  mounted.push(disk)
  return place
}
