import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { programOf } from './debian.ts'
import { agreesOnDefault } from './default-by-engine.ts'

// The engines onnx-webgpu and tfjs-webgpu on a Vulkan driver in software: their results are held against the same references as the others'.

const folder = join(import.meta.dirname, '../../.cache/lavapipe')
const driver = join(folder, 'lavapipe.json')
const own = { ...process.env }
delete own['NODE_TEST_CONTEXT'] // else the tests would report to this run
const toDriver = {
  LD_LIBRARY_PATH: join(folder, 'root/usr/lib/x86_64-linux-gnu'),
  VK_DRIVER_FILES: driver,
  VK_ICD_FILENAMES: driver, // what older loaders call it
}
const env = { ...own, ...toDriver }

describe('WebGPU in software', () => {
  before(() => execFileSync('bash', [join(import.meta.dirname, 'lavapipe.sh'), folder], { stdio: 'inherit' }))

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

  // all four epochs take nine minutes in software
  it('onnx-webgpu runs the embedded default of one epoch, which comes out as by onnx-cpu', (t) =>
    agreesOnDefault(t, 'onnx-webgpu', { env: toDriver, epochs: 1 }))

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
