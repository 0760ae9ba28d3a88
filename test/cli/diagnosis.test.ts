import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { wordDiagnosis } from '../../lib/cli/diagnosis.ts'
import type { Diagnosis, EngineFound } from '../../lib/util/diagnosis.ts'

const gib = 2 ** 30
const engine = (name: string, more: Partial<EngineFound>): EngineFound => ({
  ...{ name, backend: `${name} 1.2.3`, device: 'cpu', driver: null, memory: { total: 16 * gib, free: 9.5 * gib } },
  ...{
    libraries: [],
    works: true,
    state: 'works',
    suitsAuto: true,
    why: 'computes',
    gflops: { fp32: 123.4 },
    fails: {},
  },
  ...more,
})
const diagnosis: Diagnosis = {
  engines: [
    engine('cuda', {
      ...{ device: 'NVIDIA H200 of a very long name, 139.8 GiB', driver: 'driver 580.65, compute capability 9.0' },
      ...{ memory: { total: 140 * gib, free: 139 * gib }, gflops: { fp32: 51_132, bf16: 780_321 } },
      ...{ fails: { tf32: 'it computes wrong' }, libraries: [{ name: 'NVRTC', path: '/cuda/libnvrtc.so.13' }] },
    }),
    engine('onnx-webgpu', { works: false, state: 'crashed', why: 'crashed (SIGSEGV)', device: null, memory: null, gflops: {} }), // prettier-ignore
    engine('onnx-cpu', {}),
    engine('tfjs-cpu', { gflops: { fp32: 0.75123 } }),
  ],
  ...{ auto: 'cuda', autoWhy: 'of cuda, onnx-webgpu, onnx-cpu, tfjs-cpu, the first that works here' },
  advice: ['cuda multiplies 15.3 times as fast in bf16 as in fp32: `precision: bf16` of a stage.'],
  machine: {
    ...{ cpu: 'AMD EPYC', cores: 8, threads: 4, quota: 2, memory: { total: 16 * gib, free: 9.5 * gib } },
    ...{ gpus: ['NVIDIA'], platform: 'linux x64', node: '20.20.2' },
  },
}

describe('a diagnosis for people', () => {
  it('keeps to 80 columns', () => {
    assert.equal(wordDiagnosis(diagnosis, 80), NARROW)
  })

  it('has all in one table where there is room', () => {
    assert.equal(wordDiagnosis(diagnosis, 200), WIDE)
  })

  it('stays within any width that its names leave', () => {
    for (const width of [70, 80, 100, 132, 160, 200]) {
      const longest = Math.max(...wordDiagnosis(diagnosis, width).split('\n').map((line) => line.length)) // prettier-ignore
      assert.ok(longest <= width, `${longest} > ${width}`)
    }
  })

  it('says where no engine works', () => {
    const none = { ...diagnosis, auto: null, autoWhy: 'none of cuda works here' }
    assert.match(wordDiagnosis(none, 80), /^No engine works here: none of cuda works here\.$/m)
  })
})

const NARROW = `                                                                      GFLOP/s in
   engine       works    device              memory free           fp32     bf16
→  cuda         yes      NVIDIA H200 of a …  139.0 of 140.0 GiB  51,100  780,000
   onnx-webgpu  crashed  –                   –                        –        –
   onnx-cpu     yes      cpu                 9.5 of 16.0 GiB        123        –
   tfjs-cpu     yes      cpu                 9.5 of 16.0 GiB      0.751        –

cuda: cuda 1.2.3; NVIDIA H200 of a very long name, 139.8 GiB; driver 580.65,
  compute capability 9.0; NVRTC is /cuda/libnvrtc.so.13; not in tf32: it
  computes wrong
onnx-webgpu: onnx-webgpu 1.2.3; crashed (SIGSEGV)
onnx-cpu: onnx-cpu 1.2.3
tfjs-cpu: tfjs-cpu 1.2.3

"auto" takes cuda: of cuda, onnx-webgpu, onnx-cpu, tfjs-cpu, the first that
works here.

To make it faster:
- cuda multiplies 15.3 times as fast in bf16 as in fp32: \`precision: bf16\` of a
  stage.

8 × AMD EPYC, 4 of them for this process, a quota of 2, 9.5 of 16.0 GiB free,
NVIDIA, linux x64, Node 20.20.2`
const WIDE = `                                                                                                                                                        GFLOP/s in
   engine       works    device                                      backend            driver                                 memory free           fp32     bf16
→  cuda         yes      NVIDIA H200 of a very long name, 139.8 GiB  cuda 1.2.3         driver 580.65, compute capability 9.0  139.0 of 140.0 GiB  51,100  780,000
   onnx-webgpu  crashed  –                                           onnx-webgpu 1.2.3  –                                      –                        –        –
   onnx-cpu     yes      cpu                                         onnx-cpu 1.2.3     –                                      9.5 of 16.0 GiB        123        –
   tfjs-cpu     yes      cpu                                         tfjs-cpu 1.2.3     –                                      9.5 of 16.0 GiB      0.751        –

cuda: NVRTC is /cuda/libnvrtc.so.13; not in tf32: it computes wrong
onnx-webgpu: crashed (SIGSEGV)

"auto" takes cuda: of cuda, onnx-webgpu, onnx-cpu, tfjs-cpu, the first that works here.

To make it faster:
- cuda multiplies 15.3 times as fast in bf16 as in fp32: \`precision: bf16\` of a stage.

8 × AMD EPYC, 4 of them for this process, a quota of 2, 9.5 of 16.0 GiB free, NVIDIA, linux x64, Node 20.20.2`
