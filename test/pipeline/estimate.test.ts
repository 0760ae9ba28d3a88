import assert from 'node:assert/strict'
import { test } from 'node:test'
import { estimateOf } from '../../lib/pipeline/estimate.ts'
import type { Manifest } from '../../lib/pipeline/manifest.ts'
import { shell, stage } from './rig.ts'

/** Of a result, newest first in a list; nothing but what an estimate is made from. */
const result = (id: string, seconds: number, device: string | null = null): Manifest =>
  ({ stage: id, ran: { seconds, device } }) as Manifest

const resources = { gpu: 2, cpu: 0, memory: 0 }

test('the median of the latest five results of the stage, else of its other cells', () => {
  const cell = stage('train[a]', shell('true'), { resources })
  assert.equal(estimateOf(cell, []), null)
  const seconds = (...earlier: Manifest[]): [number, number] => {
    const { seconds, results } = estimateOf(cell, earlier)!
    return [seconds, results]
  }
  assert.deepEqual(seconds(result('train[a]', 3)), [3, 1])
  assert.deepEqual(seconds(...[1, 2, 3, 4, 5, 900, 900, 900, 900].map((s) => result('train[a]', s))), [3, 5])
  assert.deepEqual(seconds(...[5, 1, 3].map((s) => result('train[b]', s)), result('train[a]', 7)), [7, 1])
  assert.deepEqual(seconds(...[5, 1, 3].map((s) => result('train[b]', s))), [3, 3])
})

test('GPU time is that of as many GPUs as the stage asks for, where the result was made on one', () => {
  const gpuSeconds = (device: string | null, gpu = 2): number =>
    estimateOf(stage('train', shell('true'), { resources: { ...resources, gpu } }), [result('train', 3, device)])!
      .gpuSeconds
  const cases: [string | null, number][] = [
    ['cuda, NVIDIA H200', 6],
    ['cuda in bf16, NVIDIA H200', 6],
    ['onnx-webgpu, NVIDIA T4', 6],
    ['onnx-cpu, 2 threads', 0],
    ['tfjs-cpu, 1 thread', 0],
    ['tfjs-node-gpu, TensorFlow 2.9.1 on a GPU', 6],
    ['tfjs-node-gpu, TensorFlow 2.9.1 on the CPU, 2 threads', 0],
    [null, 0],
  ]
  for (const [device, expected] of cases) assert.equal(gpuSeconds(device), expected, String(device))
  assert.equal(gpuSeconds('cuda, NVIDIA H200', 0), 0)
})
