import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, describe, it } from 'node:test'
import * as tf from '@tensorflow/tfjs-core'
import { openEngine } from '../../lib/engine/index.ts'
import { factsOf, probe } from '../../lib/engine/probe.ts'
import * as g from '../../lib/graph/index.ts'
import { Failure } from '../../lib/util/failure.ts'
import { thisMachine } from '../../lib/util/machine.ts'

// Started by webgpu.test.ts, which brings the driver.

const engine = await openEngine({ name: 'tfjs-webgpu', threads: 1 })
after(() => engine.dispose())

describe('tfjs-webgpu', () => {
  it('names the device, and is never what "auto" takes', async () => {
    assert.match(engine.device, /^tfjs-webgpu, llvmpipe/)
    assert.equal((await openEngine({ name: 'auto', threads: 1 })).name, 'onnx-cpu')
    const { works, suitsAuto, gflops } = await probe('tfjs-webgpu', thisMachine())
    assert.deepEqual([works, suitsAuto], [true, false])
    assert.ok(gflops['fp32']! > 0.1)
    const { backend, device } = await factsOf('tfjs-webgpu', thisMachine())
    assert.match(
      `${backend} ${device}`,
      /^"webgpu" backend of .*tfjs-backend-webgpu [0-9.]+, on Dawn of webgpu [0-9.]+ llvmpipe/,
    )
  })

  it('refuses a tensor that the device does not hold, by name and with the limit', async () => {
    const table = g.state('table', [2 ** 25 + 1])
    await assert.rejects(engine.compile(g.graph({ outputs: { sum: g.sum(table) } })), (error) => {
      assert.ok(error instanceof Failure)
      assert.equal(error.code, 'TENSOR_TOO_LARGE')
      const message = /^"table", float32\[33554433\], takes 134217732 bytes, and llvmpipe.* at most 134217728/
      assert.match(error.message, message)
      return true
    })
  })

  it('computes right with the largest tensor that it takes', async () => {
    const x = g.broadcastTo(g.input('x', [1]), [2 ** 25])
    const most = g.max(g.where(g.greater(x, 0.5), x, 0))
    const program = await engine.compile(g.graph({ outputs: { most, mean: g.mean(x) } }))
    const { most: found, mean } = await program.run({ x: { shape: [1], data: Float32Array.of(0.75) } })
    assert.deepEqual([found!.data[0], mean!.data[0]], [0.75, 0.75])
  })

  it('says which of the fed ids names no row', async () => {
    const rows = g.gather(g.input('table', [3, 2]), g.input('ids', [1], 'int32'))
    const program = await engine.compile(g.graph({ outputs: { rows } }))
    const table = { shape: [3, 2], data: new Float32Array(6) }
    const run = program.run({ table, ids: { shape: [1], data: Int32Array.of(3) } })
    await assert.rejects(run, /the feed "ids" holds 3, a place for "gather" from 0 to 2/)
  })

  it('keeps state on the device, and no memory of it after that', async () => {
    const size = 2 ** 20
    const used = (): number =>
      (tf.backend() as unknown as { memory(): { numBytesInGPU: number } }).memory().numBytesInGPU
    const x = g.state('x', [size])
    const program = await engine.compile(g.graph({ outputs: { most: g.max(x) }, updates: { x: g.add(x, 1) } }))
    const before = used()
    const memory = engine.memory()
    memory.write('x', { shape: [size], data: new Float32Array(size) })
    for (let i = 0; i < 5; i++) assert.equal((await program.run({}, memory))['most']!.data[0], i)
    assert.ok((await memory.read('x')).data.every((entry) => entry === 5))
    assert.ok(used() - before < 3 * 4 * size, `${used() - before} bytes more`)
    memory.dispose()
    assert.ok(used() - before < 4 * size, `${used() - before} bytes are left`)
  })

  it('raises what goes wrong on the device, in each run from then on, and a new device is free of it', async () => {
    const x = g.input('x', [2])
    const feeds = { x: { shape: [2], data: Float32Array.of(1, 2) } }
    const program = await engine.compile(g.graph({ outputs: { y: g.add(x, 1) } }))
    await program.run(feeds)
    const { device } = tf.backend() as unknown as { device: GPUDevice }
    device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE })
    for (let i = 0; i < 2; i++) await assert.rejects(program.run(feeds), { code: 'DEVICE_FAILED', message: /llvmpipe.* failed in the middle of work: .*usage/s }) // prettier-ignore
    await engine.dispose()
    const other = await openEngine({ name: 'tfjs-webgpu', threads: 1 })
    const again = await other.compile(g.graph({ outputs: { y: g.add(x, 1) } }))
    assert.deepEqual([...(await again.run(feeds))['y']!.data], [2, 3])
    await other.dispose()
  })

  it('lets the process end by itself once it is disposed of', () => {
    const script = `
      import { openEngine } from './lib/engine/index.ts'
      import * as g from './lib/graph/index.ts'
      const engine = await openEngine({ name: 'tfjs-webgpu', threads: 1 })
      const program = await engine.compile(g.graph({ outputs: { y: g.add(g.input('x', []), 1) } }))
      const { y } = await program.run({ x: { shape: [], data: Float32Array.of(1) } })
      console.log(y.data[0], 'navigator' in globalThis && 'gpu' in navigator)
      await engine.dispose()`
    const flags = ['--import', 'tsx', '--input-type=module', '--eval', script]
    const { status, stdout } = spawnSync(process.execPath, flags, { encoding: 'utf8', timeout: 60_000 })
    assert.deepEqual([status, stdout], [0, '2 false\n'])
  })
})
