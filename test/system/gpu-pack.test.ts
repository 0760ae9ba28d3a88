import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'

// The code that bench/gpu-pack.sh carries to a machine with a GPU, where nothing can be mended.

const run = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')
const pack = mkdtempSync(join(tmpdir(), 'gpu-pack-'))
after(() => {
  rmSync(pack, { recursive: true })
})

describe('the pack for a machine with a GPU', () => {
  before(async () => {
    const env = { ...process.env, OUT: pack, CODE: '1', PIPELINE_DATA: '' }
    await run('bash', [join(root, 'bench', 'gpu-pack.sh')], { env })
    await run('tar', ['-C', pack, '-xzf', join(pack, 'code.tar.gz')])
    symlinkSync(join(root, 'node_modules'), join(pack, 'node_modules'))
  })

  it('holds scripts that Node takes', async () => {
    const scripts = ['bench/gpu', 'test/model', 'test/engine', 'test/gpu'].flatMap((folder) =>
      readdirSync(join(pack, folder)).map((name) => join(pack, folder, name)),
    )
    const modules = scripts.filter((file) => file.endsWith('.mjs'))
    assert.equal(modules.length, 11)
    for (const file of modules) await run(process.execPath, ['--check', file])
  })

  it('says of an engine whether it opens', async () => {
    const opens = join(pack, 'bench', 'gpu', 'opens.mjs')
    const { stdout } = await run(process.execPath, [opens, 'onnx-cpu'])
    assert.match(stdout, /^onnx-cpu: onnx-cpu, \d+ threads?$/m)
    await assert.rejects(run(process.execPath, [opens, 'none']), { code: 1, stdout: /"none" is no engine: expected / })
  })
})
