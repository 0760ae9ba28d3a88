import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, it } from 'node:test'

const folder = mkdtempSync(join(tmpdir(), 'engine-'))
after(() => rmSync(folder, { recursive: true }))
const bin = join(import.meta.dirname, '..', '..', 'lib', 'cli', 'bin.cjs')

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const options = { cwd: folder, encoding: 'utf8', env: { ...process.env, ...env } } as const
  return spawnSync(process.execPath, [bin, 'run', ...args], options)
}

it('an engine that there is not is refused before anything runs, wherever it was named', () => {
  const named = run(['--engine', 'onyx'])
  assert.equal(named.status, 2)
  assert.match(
    named.stderr,
    /'--engine <name>' argument 'onyx' is invalid\. Allowed choices are auto, cuda, .*onnx-cpu/,
  )
  const set = run([], { PIPELINE_ENGINE: 'onyx' })
  assert.equal(set.status, 2)
  assert.match(set.stderr, /'onyx' from env 'PIPELINE_ENGINE' is invalid\. Allowed choices are auto, cuda, /)
})
