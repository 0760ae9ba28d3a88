import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { InferenceSession } from 'onnxruntime-node'
import { openEngine } from '../../lib/engine/index.ts'
import type { Engine } from '../../lib/engine/index.ts'
import { halfDialect } from '../../lib/engine/onnx/half-products.ts'
import { writeModel } from '../../lib/engine/onnx/model.ts'
import type { Dialect } from '../../lib/engine/onnx/ops.ts'
import { webgpuDialect } from '../../lib/engine/onnx/webgpu-ops.ts'
import { factsOf, probe } from '../../lib/engine/probe.ts'
import * as g from '../../lib/graph/index.ts'
import { adamW } from '../../lib/model/optimizer.ts'
import { compileAccumulate, compileApply, compileStep, compileValidation } from '../../lib/model/steps.ts'
import { Failure } from '../../lib/util/failure.ts'
import { thisMachine } from '../../lib/util/machine.ts'
import { cases } from '../engine/cases.ts'
import type { Case } from '../engine/cases.ts'
import { plainKl, tiny } from '../model/rig.ts'

// Started by webgpu.test.ts, which brings the driver.

const engine = await openEngine({ name: 'onnx-webgpu', threads: 1 })
after(() => engine.dispose())

describe('onnx-webgpu', () => {
  it('names the device, and leaves "auto" to the CPU where that is software', async () => {
    assert.match(engine.device, /^onnx-webgpu, llvmpipe/)
    assert.equal((await openEngine({ name: 'auto', threads: 1 })).name, 'onnx-cpu')
    const machine = { ...thisMachine(), gpus: [] }
    const { device, driver, memory, advice } = await factsOf('onnx-webgpu', machine)
    assert.match(device!, /^llvmpipe/)
    assert.match(driver!, /^Vulkan 1\.\d+\.\d+, driver \d+\.\d+\.\d+$/)
    assert.ok(memory!.total >= 2 ** 29)
    assert.deepEqual(advice, [`Vulkan finds ${device} alone, which is software, and slower than the CPU itself: "auto" leaves it.`]) // prettier-ignore
    const { advice: other } = await factsOf('onnx-webgpu', { ...machine, gpus: ['AMD'] })
    assert.match(other[0]!, /^A graphics card is there \(AMD\), and Vulkan .* a Vulkan driver is missing: apt install/)
    const { works, suitsAuto, gflops } = await probe('onnx-webgpu', machine)
    assert.deepEqual([works, suitsAuto], [true, false])
    assert.ok(gflops['fp32']! > 0.1)
  })

  it('refuses a tensor that the device does not hold, by name and with the limit', async () => {
    const table = g.state('table', [2 ** 25 + 1])
    await assert.rejects(engine.compile(g.graph({ outputs: { sum: g.sum(table) } })), (error) => {
      assert.ok(error instanceof Failure)
      assert.equal(error.code, 'TENSOR_TOO_LARGE')
      assert.match(
        error.message,
        /^"table", float32\[33554433\], takes 134217732 bytes, and llvmpipe .* at most 134217728/,
      )
      return true
    })
    const long = g.sum(g.broadcastTo(g.mul(g.input('x', [1]), 2), [2 ** 25 + 1]))
    await assert.rejects(engine.compile(g.graph({ outputs: { long } })), /a result of "broadcastTo"/)
  })

  it('computes right with the largest tensor that it takes', async () => {
    const size = 2 ** 25
    const x = g.broadcastTo(g.input('x', [1]), [size])
    const program = await engine.compile(
      g.graph({ outputs: { most: g.max(g.where(g.greater(x, 0.5), x, 0)), mean: g.mean(x) } }),
    )
    const { most, mean } = await program.run({ x: { shape: [1], data: Float32Array.of(0.75) } })
    assert.deepEqual([most!.data[0], mean!.data[0]], [0.75, 0.75])
  })

  it('says where a fed id names no row', async () => {
    const rows = g.gather(g.state('table', [3, 2]), g.reshape(g.input('ids', [1, 2], 'int32'), [2]))
    const program = await engine.compile(g.graph({ outputs: { rows } }))
    const memory = engine.memory()
    memory.write('table', { shape: [3, 2], data: new Float32Array(6) })
    const run = (...ids: number[]) => program.run({ ids: { shape: [1, 2], data: Int32Array.from(ids) } }, memory)
    await run(0, 2)
    await assert.rejects(run(0, 3), /the feed "ids" holds 3, a place for "gather" from 0 to 2/)
    await assert.rejects(run(-1, 0), /the feed "ids" holds -1/)
  })

  it('keeps state on the device when the program that made it is gone, and gives its memory back', async () => {
    const size = 2 ** 22
    const x = g.state('x', [size])
    const counting = await engine.compile(g.graph({ outputs: {}, updates: { x: g.add(x, 1) } }))
    const memory = engine.memory()
    memory.write('x', { shape: [size], data: new Float32Array(size) })
    for (let i = 0; i < 5; i++) await counting.run({}, memory)
    const before = mapped()
    for (let i = 0; i < 45; i++) await counting.run({}, memory)
    assert.ok(mapped() - before < 10 * size * 4, 'each run leaves a tensor behind')
    await counting.dispose()
    const doubling = await engine.compile(g.graph({ outputs: { most: g.max(x) }, updates: { x: g.mul(x, 2) } }))
    assert.equal((await doubling.run({}, memory))['most']!.data[0], 50)
    await doubling.dispose()
    const { data } = await memory.read('x')
    assert.ok(data.every((entry) => entry === 100))
  })

  const dialects = { fp32: webgpuDialect, fp16: halfDialect }
  for (const [precision, dialect] of Object.entries(dialects)) {
    it(`runs every op, its derivative and the whole of training on the device, in ${precision}`, async () => {
      await allOnDevice(dialect)
    })
  }
})

async function allOnDevice(dialect: Dialect): Promise<void> {
  for (const [op, list] of Object.entries(cases)) {
    for (const one of list as readonly Case[]) await onDeviceAlone(graphOf(one), `${op}: ${one.title}`, dialect)
  }
  const shape = {
    config: tiny(),
    rows: 2,
    context: 12,
    chunk: 8,
    teacher: { kind: 'hidden' as const, head: [13, 6] as const, objective: plainKl },
    optimizer: adamW,
    clip: 1,
  }
  const compiler = { compile: (graph) => onDeviceAlone(graph, 'training', dialect) } as Pick<
    Engine,
    'compile'
  > as Engine
  for (const compile of [compileStep, compileAccumulate, compileApply, compileValidation])
    await compile(compiler, shape)
}

/** Bytes of memory that this process has mapped: what the driver gives counts among them, whether or not it was written yet. */
const mapped = (): number => Number(/^VmSize:\s*(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024

/** Fails where a node has no kernel on the device: ONNX Runtime would compute it on the CPU without a word. */
async function onDeviceAlone(graph: g.Graph, what: string, dialect: Dialect): Promise<never> {
  const strict = { session: { disable_cpu_ep_fallback: '1' } }
  const { bytes } = writeModel(graph, dialect)
  try {
    const session = await InferenceSession.create(bytes, {
      executionProviders: ['webgpu'],
      logSeverityLevel: 4,
      extra: strict,
    })
    await session.release()
  } catch (cause) {
    assert.fail(`${what}: ${String(cause)}`)
  }
  return undefined as never
}

function graphOf({ inputs, build, valuesOnly }: Case): g.Graph {
  const x = inputs.map(({ shape, dtype }, i) => g.input(`x${i}`, shape, dtype))
  const y = build(...x)
  const differentiable =
    valuesOnly !== true && y.dtype === 'float32' ? x.filter(({ dtype }) => dtype === 'float32') : []
  const slopes = differentiable.length > 0 ? g.grad(g.sum(g.mul(y, g.exp(y))), differentiable) : []
  return g.graph({ outputs: { y, ...Object.fromEntries(slopes.map((slope, i) => [`d${i}`, slope])) } })
}
