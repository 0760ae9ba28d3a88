import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { it } from 'node:test'
import { openEngine } from '../../lib/engine/index.ts'
import { newFolder, taught, trained } from '../model/training.ts'

// Started by webgpu.test.ts with a driver that has faults (stand-in/vulkan.c): shaders that know no halves, and a device that is
// lost once the file LOSE_DEVICE is there.

it('refuses fp16 where the device does not know halves, by name', async () => {
  await assert.rejects(openEngine({ name: 'onnx-webgpu', threads: 1, precision: 'fp16' }), {
    code: 'ENGINE_PRECISION',
    message:
      /^"onnx-webgpu" computes in fp16 where the device has WebGPU's shader-f16, and llvmpipe .* lacks it: choose/,
  })
})

it('fails by name where the device is lost, and the training goes on from its checkpoint', async () => {
  const trigger = process.env['LOSE_DEVICE']!
  const engine = await openEngine({ name: 'onnx-webgpu', threads: 1 })
  const folder = newFolder()
  const stop = new AbortController()
  const onStep = (step: number): void => {
    if (step === 2) stop.abort()
  }
  const whole = await trained(taught)
  await assert.rejects(trained(taught, { engine, folder, signal: stop.signal, onStep }), { name: 'AbortError' })
  const lose = (step: number): void => {
    if (step === 3) writeFileSync(trigger, '')
  }
  await assert.rejects(trained(taught, { engine, folder, onStep: lose }), {
    code: 'DEVICE_FAILED',
    exitCode: 1,
    message:
      /^the graphics device of onnx-webgpu was lost in the middle of work \(.*lost.*run again; a training goes on/,
  })
  rmSync(trigger)
  const said: string[] = []
  const resumed = await trained(taught, { folder, log: (line) => said.push(line) }) // on another device: this one is gone
  assert.match(said[0]!, /^resumed after step 2 of 5/)
  assert.ok(Math.abs(resumed.points.at(-1)!.loss - whole.points.at(-1)!.loss) < 1e-4)
})
