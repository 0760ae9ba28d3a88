import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'

const ask = (...options: string[]): string =>
  execFileSync(process.execPath, ['--import', 'tsx', 'lib/tools/doctor.ts', ...options], { encoding: 'utf8' })

describe('doctor', () => {
  it('answers with one line of JSON', () => {
    const { engines, auto } = JSON.parse(ask('--json')) as {
      engines: { name: string; works: boolean; device: string }[]
      auto: string
    }
    assert.deepEqual(
      engines.map(({ name, works }) => [name, works]),
      [
        ['onnx-cpu', true],
        ['tfjs-cpu', true],
      ],
    )
    assert.match(engines[0]!.device, /^onnx-cpu, \d+ threads?$/)
    assert.equal(auto, 'onnx-cpu')
  })

  it('answers people in lines', () => {
    assert.match(ask(), /^onnx-cpu: works \(onnx-cpu, .*\)\. ONNX Runtime on the CPU\.\n[^]*auto takes onnx-cpu\n$/)
  })
})
