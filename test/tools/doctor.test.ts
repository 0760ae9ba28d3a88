import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { it } from 'node:test'
import type { Diagnosis } from '../../lib/engine/probe.ts'

it('doctor says which engines work, in its last line', () => {
  const out = execFileSync(process.execPath, ['--import', 'tsx', 'lib/tools/doctor.ts'], { encoding: 'utf8' })
  const { value } = JSON.parse(out.trim().split('\n').at(-1)!) as { value: Diagnosis }
  assert.deepEqual(
    value.engines.map(({ name, works }) => [name, works]),
    [
      ['onnx-cpu', true],
      ['tfjs-cpu', true],
    ],
  )
  assert.match(value.engines[0]!.device!, /^onnx-cpu, \d+ threads?$/)
  assert.equal(value.auto, 'onnx-cpu')
})
