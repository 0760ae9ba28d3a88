import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { programOf } from './debian.ts'
import { bringDriver, driver, folder, toDriver } from './lavapipe.ts'

// The engines onnx-webgpu and tfjs-webgpu on a Vulkan driver in software: their results are held against the same references as the others'.

const own = { ...process.env }
delete own['NODE_TEST_CONTEXT'] // else the tests would report to this run
const env = { ...own, ...toDriver }

describe('WebGPU in software', () => {
  before(bringDriver)

  for (const [engine, file, least] of [
    ['onnx-webgpu', 'test/engine/ops.test.ts', 190],
    ['onnx-webgpu', 'test/engine/engine.test.ts', 5],
    ['onnx-webgpu', 'test/model/reference.test.ts', 10],
    ['onnx-webgpu', 'test/system/on-lavapipe.ts', 7],
    ['onnx-webgpu', 'test/system/halves-on-lavapipe.ts', 226],
    ['tfjs-webgpu', 'test/engine/ops.test.ts', 190],
    ['tfjs-webgpu', 'test/engine/engine.test.ts', 6],
    ['tfjs-webgpu', 'test/model/reference.test.ts', 10],
    ['tfjs-webgpu', 'test/system/tfjs-on-lavapipe.ts', 5],
  ] as const) {
    it(`${engine} passes ${file}`, () => {
      pass(file, least, { ...env, TEST_ENGINES: engine })
    })
  }

  it('passes test/system/faults-on-lavapipe.ts, with a driver that has faults', () => {
    const [library, faulty] = [join(folder, 'faulty.so'), join(folder, 'faulty.json')]
    const flags = ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror', '-fvisibility=hidden']
    execFileSync(programOf('gcc'), [...flags, '-o', library, join(import.meta.dirname, 'stand-in/vulkan.c'), '-ldl'])
    const real = (JSON.parse(readFileSync(driver, 'utf8')) as { ICD: { library_path: string } }).ICD
    writeFileSync(faulty, JSON.stringify({ file_format_version: '1.0.0', ICD: { ...real, library_path: library } }))
    const trigger = join(folder, 'lose-device')
    rmSync(trigger, { force: true })
    const faults = { REAL_DRIVER: real.library_path, WITHOUT_HALVES: '1', LOSE_DEVICE: trigger }
    const onCpu = { TEST_ENGINES: 'onnx-cpu', VK_DRIVER_FILES: faulty, VK_ICD_FILENAMES: faulty }
    pass('test/system/faults-on-lavapipe.ts', 2, { ...env, ...faults, ...onCpu })
  })
})

function pass(file: string, least: number, env: NodeJS.ProcessEnv): void {
  const flags = ['--import', 'tsx', '--test', '--test-reporter=tap']
  const { stdout, status } = spawnSync(process.execPath, [...flags, file], { encoding: 'utf8', env })
  const failed = stdout.split('\n').filter((line) => /^ *(not ok|error:)/.test(line))
  assert.deepEqual([status, failed], [0, []], stdout.slice(-4000))
  assert.ok(Number(/^# pass (\d+)/m.exec(stdout)?.[1]) >= least, `${file} ran too few tests`)
}
