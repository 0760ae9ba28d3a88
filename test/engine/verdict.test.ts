import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { judge } from '../../lib/engine/verdict.ts'
import type { EngineFound } from '../../lib/util/diagnosis.ts'
import type { Machine } from '../../lib/util/machine.ts'

const memory = { total: 2 ** 34, free: 2 ** 33 }
const machine: Machine = { cpu: 'CPU', cores: 8, threads: 8, quota: null, memory, gpus: ['NVIDIA'], platform: 'linux x64', node: '20.20.2' } // prettier-ignore
const engine = (name: string, more: Partial<EngineFound> = {}): EngineFound => ({
  ...{ name, backend: name, device: 'cpu', driver: null, memory, libraries: [], fails: {} },
  ...{ works: true, state: 'works', suitsAuto: true, why: 'it computes', gflops: { fp32: 100 } },
  ...more,
})
const broken = { works: false, gflops: {} } as const

describe('the choice of "auto"', () => {
  it('is the first that works on hardware, and says of those before it why not', () => {
    const cuda = engine('cuda', { ...broken, state: 'absent', why: "NVIDIA's driver is needed: install it" })
    const webgpu = engine('webgpu', { suitsAuto: false, device: 'llvmpipe' })
    const { auto, autoWhy, advice } = judge([cuda, webgpu, engine('cpu'), engine('slow')], machine)
    assert.equal(auto, 'cpu')
    assert.equal(
      autoWhy,
      'of cuda, webgpu, cpu, slow, the first that works here; cuda does not work (NVIDIA\'s driver is needed); webgpu works, but on llvmpipe, which "auto" passes by',
    )
    assert.deepEqual(advice, [])
  })

  it('warns where "auto" would crash, hang or compute wrong in a run', () => {
    for (const [state, why] of [
      ['crashed', 'crashed (SIGSEGV)'],
      ['silent', 'did not answer in 60 s'],
      ['wrong', 'it computes wrong: a sum came out as 3'],
    ] as const) {
      const { auto, autoWhy, advice } = judge([engine('cuda', { ...broken, state, why }), engine('cpu')], machine)
      assert.equal(auto, 'cpu')
      assert.match(autoWhy, new RegExp(`cuda does not work \\(${why.split(': ')[0]!.replace(/[()]/g, '\\$&')}\\)`))
      const way = 'give --engine cpu, or set PIPELINE_ENGINE=cpu, until that is mended'
      assert.deepEqual(advice, [`"auto" tries cuda first in a run, too (${why}): ${way}.`])
    }
  })

  it('is none where nothing works', () => {
    const { auto, autoWhy } = judge([engine('cuda', { ...broken, state: 'absent', why: 'no driver' })], machine)
    assert.deepEqual([auto, autoWhy], [null, 'none of cuda works here; cuda does not work (no driver)'])
  })
})

describe('advice', () => {
  const adviceOn = (engines: readonly EngineFound[], more: Partial<Machine> = {}): readonly string[] =>
    judge(engines, { ...machine, ...more }).advice

  it('names an engine that is faster than the one that "auto" takes, and a precision', () => {
    const slow = engine('slow', { gflops: { fp32: 10, tf32: 14, bf16: 80 } })
    assert.deepEqual(adviceOn([slow, engine('fast')]), [
      'fast multiplies 10.0 times as fast as slow here: --engine fast.',
      'slow multiplies 8.0 times as fast in bf16 as in fp32: `precision: bf16` of a stage.',
    ])
  })

  it('names what holds the process back', () => {
    assert.match(adviceOn([engine('cpu')], { threads: 2 })[0]!, /^This process may run on 2 of 8 cores: taskset/)
    assert.match(adviceOn([engine('cpu')], { quota: 1.5 })[0]!, /^The container is given 1.5 cores' time for 8 threads/)
    assert.match(adviceOn([engine('cpu')], { gpus: [] })[0]!, /^No graphics card of NVIDIA, AMD or Intel is seen here/)
    assert.deepEqual(adviceOn([engine('cpu')], { gpus: [], platform: 'darwin arm64' }), [])
  })
})
