import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as tf from '@tensorflow/tfjs-core'
import { openEngine } from '../../lib/engine/index.ts'
import { engineKinds } from '../../lib/engine/kinds.ts'
import * as g from '../../lib/graph/index.ts'
import { engineNames } from '../../lib/util/engine-names.ts'
import { Failure } from '../../lib/util/failure.ts'
import { tested } from './engines.ts'
import { floats, testState, trainingBytes } from './state-suite.ts'

describe('openEngine', () => {
  it('takes the best that works for "auto"', async () => {
    const works = await Promise.all(
      engineKinds.map(async ({ name, suitsAuto }) => {
        if (suitsAuto && !(await suitsAuto())) return false
        return openEngine({ name, threads: 1 }).then(
          (engine) => engine.dispose().then(() => true),
          () => false,
        )
      }),
    )
    const best = engineKinds[works.indexOf(true)]!.name
    const engine = await openEngine({ name: 'auto', threads: 1 })
    assert.equal(engine.name, best)
    if (best === 'onnx-cpu') assert.equal(engine.device, 'onnx-cpu, 1 thread')
    await engine.dispose()
  })

  it('knows them by the names that the command knows', () => {
    assert.deepEqual(
      engineKinds.map(({ name }) => name),
      engineNames,
    )
  })

  it('refuses a precision that the engine does not have, or none that works here has', async () => {
    const named = openEngine({ name: 'onnx-cpu', threads: 1, precision: 'bf16' })
    const message =
      'the engine "onnx-cpu" computes in fp32, and `precision` is bf16: choose the engine cuda, or another precision'
    await assert.rejects(named, { code: 'ENGINE_PRECISION', message })
    await assert.rejects(openEngine({ name: 'cuda', threads: 1, precision: 'fp16' }), {
      code: 'ENGINE_PRECISION',
      message:
        'the engine "cuda" computes in fp32, tf32, bf16, and `precision` is fp16: choose the engine onnx-webgpu, or another precision',
    })
    const works = await openEngine({ name: 'cuda', threads: 1 }).then(
      (engine) => engine.dispose().then(() => true),
      () => false,
    )
    if (works) return
    await assert.rejects(openEngine({ name: 'auto', threads: 1, precision: 'tf32' }), {
      code: 'ENGINE_BROKEN',
      message: /^no engine works here in tf32: cuda: NVIDIA's.*libcuda.*; with `precision: fp32` the CPU would do$/,
    })
    await assert.rejects(openEngine({ name: 'cuda', threads: 1 }), {
      code: 'ENGINE_BROKEN',
      message:
        /^the engine "cuda" does not work here: .*; `--engine auto` takes the fastest that does, and `pipeline doctor` says which do$/,
    })
  })

  it('refuses a name that it does not know, and says which there are', async () => {
    await assert.rejects(openEngine({ name: 'onyx', threads: 1 }), (error) => {
      assert.ok(error instanceof Failure)
      assert.equal(error.code, 'ENGINE_UNKNOWN')
      assert.equal(
        error.message,
        '"onyx" is no engine: expected auto, cuda, tfjs-node-gpu, onnx-webgpu, tfjs-webgpu, onnx-cpu, tfjs-wasm, tfjs-cpu',
      )
      return true
    })
  })
})

for (const name of tested) {
  describe(name, () => {
    testState((threads) => openEngine({ name, threads }))

    it('runs a chain of 20,000 nodes and its derivative without a recursion', async () => {
      const engine = await openEngine({ name, threads: 1 })
      const x = g.input('x', [])
      let y = x
      for (let i = 0; i < 10_000; i++) y = g.tanh(g.add(y, 1e-4))
      const graph = g.graph({ outputs: { y, dx: g.grad(y, [x])[0]! } })
      assert.ok(graph.nodes.length > 40_000)
      if (name !== 'onnx-cpu') return // its own session would take minutes over such a graph
      const short = g.graph({ outputs: { y: g.tanh(x) } })
      const program = await engine.compile(short)
      assert.ok(Math.abs((await program.run({ x: floats([], 1) }))['y']!.data[0]!) < 1)
    })
  })
}

describe('onnx-cpu', () => {
  it('adds all updates of one row, however many threads add (ScatterND loses some)', async () => {
    const engine = await openEngine({ name: 'onnx-cpu', threads: 2 })
    const [count, width, rows] = [512, 64, 7]
    const ids = Int32Array.from({ length: count }, (_, i) => (i * 31) % rows)
    const program = await engine.compile(
      g.graph({ outputs: { sum: g.scatterAdd(g.input('ids', [count], 'int32'), g.input('x', [count, width]), rows) } }),
    )
    const x = { shape: [count, width], data: new Float32Array(count * width).fill(1) }
    const expected = Array.from({ length: rows }, (_, row) => ids.filter((id) => id === row).length)
    for (let i = 0; i < 300; i++) {
      const { sum } = await program.run({ ids: { shape: [count], data: ids }, x })
      const found = Array.from({ length: rows }, (_, row) => sum!.data[row * width + (i % width)])
      assert.deepEqual(found, expected, `run ${i}`)
    }
  })

  for (const threads of [1, 2]) {
    it(`gives the same bytes twice with ${threads} thread${threads > 1 ? 's' : ''}`, async () => {
      const engine = await openEngine({ name: 'onnx-cpu', threads })
      assert.deepEqual(await trainingBytes(engine), await trainingBytes(engine))
    })
  }
})

for (const name of tested.filter((one) => one.startsWith('tfjs-'))) {
  it(`${name} holds no value longer than it is needed`, async () => {
    const engine = await openEngine({ name, threads: 1 })
    let y: g.Tensor = g.input('x', [64])
    for (let i = 0; i < 50; i++) y = g.gelu(y)
    const program = await engine.compile(g.graph({ outputs: { y } }))
    const before = tf.memory().numBytes
    const { peakBytes } = await tf.profile(async () => {
      await program.run({ x: floats([64], 1) })
      return tf.scalar(0)
    })
    assert.ok(peakBytes - before < 15 * 64 * 4, `${peakBytes - before} bytes`)
  })

  it(`${name} leaves no tensor behind but the state, and that only until its memory is disposed of`, async () => {
    const engine = await openEngine({ name, threads: 1 })
    const x = g.input('x', [4, 3])
    const w = g.state('w', [3, 3])
    const y = g.sum(g.gelu(g.matmul(x, w)))
    const program = await engine.compile(g.graph({ outputs: { y }, updates: { w: g.grad(y, [w])[0]! } }))
    const counts = (): number[] => [tf.memory().numTensors, tf.memory().numBytes]
    const [tensors, bytes] = counts() as [number, number]
    const memory = engine.memory()
    memory.write('w', floats([3, 3], 2))
    for (let i = 0; i < 3; i++) {
      await program.run({ x: floats([4, 3], 1) }, memory)
      assert.deepEqual(counts(), [tensors + 1, bytes + 36])
    }
    memory.write('w', floats([3, 3], 2))
    assert.deepEqual(counts(), [tensors, bytes])
    await program.run({ x: floats([4, 3], 1) }, memory)
    memory.dispose()
    assert.deepEqual(counts(), [tensors, bytes])
  })
}
