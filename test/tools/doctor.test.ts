import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'
import { engineKinds } from '../../lib/engine/kinds.ts'
import { ANSWER_FD } from '../../lib/util/answer.ts'
import type { Said } from '../../lib/util/answer.ts'
import type { Diagnosis } from '../../lib/util/diagnosis.ts'

it('doctor says which engines work, on what, how fast and which "auto" takes, on the pipe for its answer', () => {
  const { output } = spawnSync(process.execPath, ['--import', 'tsx', 'lib/tools/doctor.ts'], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  })
  const said = output[ANSWER_FD]!.trim().split('\n').map((line) => JSON.parse(line) as Said) // prettier-ignore
  const names: readonly string[] = engineKinds.map(({ name }) => name)
  assert.deepEqual(said.slice(0, -1), names.map((part) => ({ type: 'part', part }))) // prettier-ignore
  const { engines, auto, autoWhy, machine } = (said.at(-1) as unknown as { readonly value: Diagnosis }).value
  assert.deepEqual(
    engines.map(({ name }) => name),
    names,
  )
  for (const { name, works, state, backend, device, gflops, why } of engines) {
    assert.equal(works, state === 'works', name)
    assert.ok(!works || (gflops['fp32']! > 0 && device !== null), name)
    assert.match(backend!, works ? /\d+\.\d+/ : /./, name)
    assert.notEqual(why, '')
  }
  const of = (name: string) => engines.find((one) => one.name === name)!
  const [onnx, tfjs] = [of('onnx-cpu'), of('tfjs-cpu')]
  assert.deepEqual([onnx.works, onnx.device, tfjs.works], [true, 'cpu', true])
  assert.match(onnx.backend!, /^CPUExecutionProvider of onnxruntime-node \d+\.\d+\.\d+$/)
  assert.match(tfjs.backend!, /^"cpu" backend of @tensorflow\/tfjs-backend-cpu \d+\.\d+\.\d+$/)
  assert.equal(auto, engines.find(({ works, suitsAuto }) => works && suitsAuto)!.name)
  for (const { name } of engines.slice(0, names.indexOf(auto))) assert.match(autoWhy, new RegExp(`; ${name} `))
  assert.ok(machine.memory.free <= machine.memory.total)
})
