import assert from 'node:assert/strict'
import util from 'node:util'
import { after, describe, it } from 'node:test'
import * as tf from '@tensorflow/tfjs-core'
import { openEngine } from '../../lib/engine/index.ts'
import { factsOf, probe } from '../../lib/engine/probe.ts'
import * as g from '../../lib/graph/index.ts'
import { thisMachine } from '../../lib/util/machine.ts'
import { floats, trainingBytes } from '../engine/state-suite.ts'

// Started by tfjs-node.test.ts, which brings the native part.

// as Node 23 and later are
const old = util as unknown as Record<string, unknown>
for (const gone of ['isNullOrUndefined', 'isArray']) Reflect.deleteProperty(old, gone)

const engine = await openEngine({ name: 'tfjs-node-gpu', threads: 2 })
after(() => engine.dispose())

describe('tfjs-node-gpu', () => {
  it('says what it computes on, and leaves "auto" to others where that is the CPU', async () => {
    const { works, suitsAuto, gflops } = await probe('tfjs-node-gpu', thisMachine())
    assert.ok(works && gflops['fp32']! > 1)
    assert.equal(suitsAuto, engine.device.endsWith('GPU'))
    const { backend, device } = await factsOf('tfjs-node-gpu', thisMachine())
    assert.match(backend!, /^TensorFlow of @tensorflow\/tfjs-node-gpu \d+\.\d+\.\d+$/)
    assert.equal(device, suitsAuto ? 'GPU' : 'cpu')
    assert.match(engine.device, /^tfjs-node-gpu, TensorFlow 2\.\d+\.\d+ on (a GPU|the CPU, 2 threads)$/)
    if (!suitsAuto) assert.notEqual((await openEngine({ name: 'auto', threads: 1 })).name, 'tfjs-node-gpu')
  })

  it('computes what Node 23 and later lack a function for', async () => {
    assert.deepEqual(Object.keys(old).includes('isNullOrUndefined'), true, 'the engine defines it')
    const program = await engine.compile(g.graph({ outputs: { mean: g.mean(g.input('x', [2, 2]), [1]) } }))
    const { mean } = await program.run({ x: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 5) } })
    assert.deepEqual([...mean!.data], [1.5, 4])
  })

  it('gives the same bytes twice', async () => {
    assert.deepEqual(await trainingBytes(engine), await trainingBytes(engine))
  })

  it('computes on its own backend when another engine was opened after it', async () => {
    const graph = g.graph({ outputs: { y: g.matmul(g.input('a', [64, 64]), g.state('w', [64, 64])) } })
    const other = await openEngine({ name: 'tfjs-cpu', threads: 1 })
    const [mine, others] = [await engine.compile(graph), await other.compile(graph)]
    const [memory, otherMemory] = [engine.memory(), other.memory()]
    for (const each of [memory, otherMemory]) each.write('w', floats([64, 64], 2))
    const feeds = { a: floats([64, 64], 1) }
    for (let i = 0; i < 2; i++) {
      await mine.run(feeds, memory)
      assert.equal(tf.getBackend(), 'tensorflow')
      await others.run(feeds, otherMemory)
      assert.equal(tf.getBackend(), 'cpu')
    }
    for (const each of [memory, otherMemory]) each.dispose()
  })

  it('gives the memory of its tensors back', async () => {
    const size = 2 ** 20
    const x = g.state('x', [size])
    const counting = await engine.compile(g.graph({ outputs: {}, updates: { x: g.add(x, 1) } }))
    const memory = engine.memory()
    memory.write('x', { shape: [size], data: new Float32Array(size) })
    for (let i = 0; i < 5; i++) await counting.run({}, memory)
    const before = process.memoryUsage.rss()
    for (let i = 0; i < 100; i++) await counting.run({}, memory)
    assert.ok(process.memoryUsage.rss() - before < 20 * size * 4, 'each run leaves a tensor behind')
    assert.ok((await memory.read('x')).data.every((entry) => entry === 105))
    memory.dispose()
  })
})
