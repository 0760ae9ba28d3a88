import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, it } from 'node:test'
import * as tf from '@tensorflow/tfjs-core'
import { openEngine } from '../../lib/engine/index.ts'
import type { WasmBackend } from '../../lib/engine/tfjs/wasm-backend.ts'

it('tfjs-wasm says that its 4 GiB are used up, and goes on with what is given back', async () => {
  await openEngine({ name: 'tfjs-wasm', threads: 1 })
  const backend = tf.backend() as unknown as WasmBackend
  const made: tf.TensorInfo[] = []
  // nobody writes to them, so that the machine need not have the memory
  const fill = (): void => {
    for (let i = 0; i < 4; i++) made.push(backend.makeOutput([2 ** 28], 'float32'))
  }
  const expected = { code: 'DEVICE_MEMORY', message: /4 GiB are used up: 1073741824 bytes more.*lower the batch/ }
  assert.throws(fill, expected)
  assert.throws(() => backend.makeOutput([2 ** 30 + 1], 'float32'), { code: 'DEVICE_MEMORY' }) // 4 bytes, in 32 bits
  for (const { dataId } of made) backend.disposeData(dataId)
  backend.disposeData(backend.makeOutput([2 ** 28], 'float32').dataId)
})

it('tfjs-webgpu says what to do where its packages are not installed', () => {
  const place = mkdtempSync(join(tmpdir(), 'tfjs-web-'))
  after(() => rmSync(place, { recursive: true }))
  for (const part of ['package.json', 'lib']) cpSync(part, join(place, part), { recursive: true })
  mkdirSync(join(place, 'node_modules'))
  for (const name of ['tsx', '@tensorflow'])
    symlinkSync(resolve('node_modules', name), join(place, 'node_modules', name))
  const script = `import { makeGpu } from './lib/engine/tfjs/dawn.ts'; makeGpu().catch(({ message }) => console.log(message))`
  const flags = ['--import', 'tsx', '--input-type=module', '--eval', script]
  const { stdout } = spawnSync(process.execPath, flags, { cwd: place, encoding: 'utf8' })
  assert.match(stdout, /^its packages, which are optional, are not all there \(Cannot find package 'webgpu'.*: run `npm install` without --omit=optional\n$/) // prettier-ignore
})
