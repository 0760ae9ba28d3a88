import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'
import type { Diagnosis } from '../../lib/engine/probe.ts'
import { ANSWER_FD } from '../../lib/util/answer.ts'

it('doctor says which engines work, on the pipe for its answer', () => {
  const { output } = spawnSync(process.execPath, ['--import', 'tsx', 'lib/tools/doctor.ts'], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  })
  const { value } = JSON.parse(output[ANSWER_FD]!) as { value: Diagnosis }
  const [cuda, tfjsNode, webgpu, ...others] = value.engines
  assert.deepEqual(
    others.map(({ name, works }) => [name, works]),
    [
      ['onnx-cpu', true],
      ['tfjs-cpu', true],
    ],
  )
  assert.match(others[0]!.device!, /^onnx-cpu, \d+ threads?$/)
  assert.deepEqual([cuda!.name, tfjsNode!.name, webgpu!.name], ['cuda', 'tfjs-node-gpu', 'onnx-webgpu'])
  if (!cuda!.works && !webgpu!.works) assert.equal(value.auto, 'onnx-cpu')
})
