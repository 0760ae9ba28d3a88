import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Engine, TensorValue } from '../../lib/engine/index.ts'
import { openEngine } from '../../lib/engine/index.ts'
import { measureProducts } from '../../lib/engine/rate.ts'
import { Failure } from '../../lib/util/failure.ts'

/** An engine whose results are changed on their way. */
function spoiling(engine: Engine, spoil: (value: TensorValue) => void): Engine {
  const compile: Engine['compile'] = async (graph) => {
    const program = await engine.compile(graph)
    const run: typeof program.run = async (feeds, memory) => {
      const results = await program.run(feeds, memory)
      for (const value of Object.values(results)) spoil(value)
      return results
    }
    return { ...program, run }
  }
  return { ...engine, compile }
}

describe('the rate of products', () => {
  it('is measured at a size that the engine takes milliseconds for, in about a second', async () => {
    const rates: number[] = []
    for (const name of ['onnx-cpu', 'tfjs-cpu']) {
      const engine = await openEngine({ name, threads: 1 })
      const begun = performance.now()
      rates.push(await measureProducts(engine, 'fp32'))
      assert.ok(performance.now() - begun < 5000, name) // alone it is 0.7 s
    }
    assert.ok(rates[0]! > 5 * rates[1]!, `${rates.join(' and ')} GFLOP/s`)
    assert.ok(rates.every((rate) => rate > 0.01 && rate < 1e6))
  })

  it('is no rate where a number is wrong', async () => {
    const engine = await openEngine({ name: 'onnx-cpu', threads: 1 })
    const wrong = [
      (data: Float32Array) => void (data[7]! += 0.01),
      (data: Float32Array) => void (data[63] = NaN),
      (data: Float32Array) => void data.fill(0),
      (data: Float32Array) => void data.reverse(),
    ]
    for (const spoil of wrong) {
      const spoiled = spoiling(engine, ({ data }) => spoil(data as Float32Array))
      await assert.rejects(
        measureProducts(spoiled, 'fp32'),
        /^Error: it computes wrong: a sum over products of 64 × 64/,
      )
    }
  })

  it('tells factors of ten bits from float32 ones', async () => {
    const engine = await openEngine({ name: 'onnx-cpu', threads: 1 })
    const rounded = { ...engine, memory: () => roundingMemory(engine) }
    await assert.rejects(measureProducts(rounded, 'fp32'), /computes wrong/)
    assert.ok((await measureProducts(rounded, 'tf32')) > 0)
  })

  it('is that of the largest size that the device holds', async () => {
    const engine = await openEngine({ name: 'onnx-cpu', threads: 1 })
    let compiled = 0
    const small: Engine = {
      ...engine,
      compile: (graph) => {
        if (++compiled > 1) throw new Failure('TENSOR_TOO_LARGE', 'larger than the device holds')
        return engine.compile(graph)
      },
    }
    assert.ok((await measureProducts(small, 'fp32')) > 0)
    assert.equal(compiled, 2)
  })
})

/** Its matrices have the digits of tf32. */
function roundingMemory(engine: Engine): ReturnType<Engine['memory']> {
  const memory = engine.memory()
  const write = memory.write.bind(memory)
  memory.write = (name, { shape, data }) => {
    const bits = new Int32Array(Float32Array.from(data).buffer)
    for (let i = 0; i < bits.length; i++) bits[i] = (bits[i]! + 0x1000) & ~0x1fff
    write(name, { shape, data: new Float32Array(bits.buffer) })
  }
  return memory
}
