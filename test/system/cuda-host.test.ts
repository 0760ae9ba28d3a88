import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openCuda } from '../../lib/engine/cuda/engine.ts'
import type { CudaPrecision } from '../../lib/engine/precision.ts'
import type { Engine } from '../../lib/engine/index.ts'
import * as g from '../../lib/graph/index.ts'
import { testAttention } from '../engine/cuda/attention-suite.ts'
import { testEpilogues } from '../engine/cuda/epilogue-suite.ts'
import { bfloat16, testCuda } from '../engine/cuda/suite.ts'
import { testOddRows } from '../engine/cuda/odd-rows.ts'
import { HostDevice } from '../engine/cuda/host-device.ts'
import { opGraphs, sourcesOf } from '../engine/cuda/sources.ts'
import { testOps } from '../engine/op-suite.ts'
import { floats, testState } from '../engine/state-suite.ts'
import { testReference } from '../model/reference-suite.ts'
import { programOf } from './debian.ts'

// The kernels of the engine `cuda`, compiled by g++ and run on the CPU: each in the order of calls of a card, from memory
// that is NaN before it is written, and with the threads of a block in an order without pattern.

const compiler = programOf('g++')
const device = (): HostDevice => new HostDevice(compiler)
const open = (precision: CudaPrecision): Promise<Engine> => Promise.resolve(openCuda(device(), { precision }))

/** All kernels of the suite in one go: the compiler's start takes longer than a kernel. */
function openWarm(precision: CudaPrecision): Promise<Engine> {
  const warm = device()
  const { source, names } = sourcesOf(opGraphs(), precision)
  warm.compile(source, names)
  return Promise.resolve(openCuda(warm, { precision }))
}

describe('cuda on the host', () => {
  describe('ops', () => {
    testOps(() => openWarm('fp32'))
  })

  describe('ops with products of bfloat16', () => {
    testOps(() => openWarm('bf16'), bfloat16.ops)
  })

  describe('state', () => {
    testState(() => open('fp32'))
    testCuda(() => open('fp32'))
  })

  describe('state with products of bfloat16', () => {
    testState(() => open('bf16'))
    testCuda(() => open('bf16'))
  })

  it('says what a program takes of the memory, before it runs: no more is taken then', async () => {
    for (const precision of ['fp32', 'bf16'] as const) {
      const host = device()
      const engine = openCuda(host, { precision })
      const [x, w, v] = [g.input('x', [40, 30]), g.state('w', [30, 50]), g.state('v', [50, 20])]
      const table = g.constant(Array.from({ length: 50 }, (_, i) => i))
      const hidden = g.mul(g.tanh(g.matmul(x, w)), table)
      const graph = g.graph({
        outputs: { y: g.matmul(hidden, v) },
        updates: { w: g.mul(w, 0.5), mean: g.mean(hidden, [0]) },
      })
      const program = await engine.compile(graph)
      const { own, state } = program.needs!
      assert.equal(host.bytes, own)
      const memory = engine.memory()
      for (const [name, { shape }] of graph.state) memory.write(name, floats([...shape], 1))
      for (let run = 0; run < 2; run++) await program.run({ x: floats([40, 30], 2) }, memory)
      assert.equal(host.bytes, own + state)
      memory.dispose()
      assert.equal(host.bytes, own)
      await program.dispose()
      assert.equal(host.bytes, 0)
      await engine.dispose()
    }
  })

  describe('rows', () => {
    testOddRows(() => open('fp32'))
  })

  describe('rows with products of bfloat16', () => {
    testOddRows(() => open('bf16'), bfloat16.ops.values)
  })

  describe('epilogues of products of bfloat16', () => {
    testEpilogues(() => open('bf16'), bfloat16.ops.values)
  })

  describe('attention with products of bfloat16', () => {
    testAttention(() => open('bf16'), 'bf16', 2e-2)
  })

  describe('attention', () => {
    testAttention(() => open('fp32'), 'fp32', 2e-6)
  })

  describe('attention with products of tf32', () => {
    testAttention(() => open('tf32'), 'tf32', 2e-3)
  })

  describe('models', () => {
    testReference(() => open('fp32'))
  })

  describe('models with products of bfloat16', () => {
    testReference(() => open('bf16'), bfloat16.models)
  })

  it('gives all memory of the device back', async () => {
    const host = device()
    const engine = openCuda(host, { precision: 'fp32' })
    const memory = engine.memory()
    memory.write('w', { shape: [3], data: Float32Array.of(1, 2, 3) })
    const sum = g.add(g.state('w', [3]), g.constant([1, 2, 3]))
    const program = await engine.compile(g.graph({ outputs: { sum }, updates: { w: sum, twin: g.exp(sum) } }))
    await program.run({}, memory)
    assert.ok(host.bytes > 0)
    await program.dispose()
    memory.dispose()
    assert.equal(host.bytes, 0)
    await engine.dispose()
  })
})
