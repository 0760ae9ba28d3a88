import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { makeWorld } from '../../lib/data/world.ts'
import { loadModel } from '../../lib/model/weights.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'
import { builtinWorld } from './builtin-world.ts'

const root = join(import.meta.dirname, '..', '..')
const builtin = join(root, 'lib', 'data', 'builtin')
const temporary = mkdtempSync(join(tmpdir(), 'builtin-'))
after(() => rmSync(temporary, { recursive: true }))

const origin = JSON.parse(readFileSync(join(builtin, 'origin.json'), 'utf8')) as {
  experiment: string
  models: Record<'teacher' | 'student', string>
}

describe('what is built in', () => {
  it('is the world that is generated now (`npm run builtin` writes it)', () => {
    const world = makeWorld(builtinWorld)
    const folder = join(builtin, 'world')
    assert.deepEqual(readdirSync(folder).sort(), Object.keys(world).sort())
    for (const [name, text] of Object.entries(world)) assert.equal(readFileSync(join(folder, name), 'utf8'), text)
  })

  for (const model of ['teacher', 'student'] as const) {
    it(`is the ${model} that the recorded experiment made, byte for byte`, async () => {
      const { digest } = await new StatCache(temporary).tree(join(builtin, model))
      assert.equal(digest, origin.models[model])
    })
  }

  it('is a GPT-Neo that teaches a smaller GPT-2, together at most 4 MB', async () => {
    const [teacher, student] = await Promise.all(['teacher', 'student'].map((name) => loadModel(join(builtin, name))))
    assert.equal(teacher!.config.architecture, 'gpt_neo')
    assert.equal(student!.config.architecture, 'gpt2')
    const size = (name: string): number => statSync(join(builtin, name, 'model.safetensors')).size
    assert.ok(size('student') < size('teacher'))
    assert.ok(size('student') + size('teacher') <= 4e6)
  })

  it('has its experiment named in the README', () => {
    assert.ok(readFileSync(join(root, 'README.md'), 'utf8').includes(origin.experiment.slice(0, 16)))
  })
})
