import { fromBfloat16 } from '../../lib/util/half.ts'
import type { Address, Device } from '../../lib/engine/cuda/device.ts'

/** Numbers on a device; who asks for them frees them with the device. */
export function upload(device: Device, values: Float32Array, type: 'f32' | 'bf16' = 'f32'): Address {
  const data = type === 'f32' ? values : toBfloat16(values)
  const address = device.allocate(data.byteLength)
  device.upload(address, data)
  return address
}

export function download(device: Device, from: Address, count: number, type: 'f32' | 'bf16' = 'f32'): Float32Array {
  if (type === 'f32') {
    const values = new Float32Array(count)
    device.download(from, values)
    return values
  }
  const bits = new Uint16Array(count)
  device.download(from, bits)
  return fromBfloat16(bits)
}

/** To the nearest bfloat16, ties to even; for finite numbers. */
export function toBfloat16(values: Float32Array): Uint16Array {
  const wide = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return Uint16Array.from(wide, (bits) => (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16)
}
