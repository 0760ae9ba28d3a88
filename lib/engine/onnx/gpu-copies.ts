import type * as OnnxRuntime from 'onnxruntime-node'
import type { Tensor as OrtTensor } from 'onnxruntime-node'
import type { TensorValue } from '../engine.ts'
import type { GpuSession, GpuTensor } from './gpu-session.ts'
import { fromOrt, toOrt } from './ort-tensor.ts'
import { encodeModel } from './proto.ts'
import type { ElementType } from './proto.ts'
import { anyShape, Writer } from './writer.ts'

/** Where a session leaves its results. */
export type Location = 'cpu' | 'gpu-buffer'
type Open = (model: Uint8Array, location: Location) => Promise<GpuSession>

/**
 * Copies between host and device. The binding for Node can leave a result there but cannot bring a tensor back by itself (its
 * `getData` ends the process): models of one Identity do both, by where they leave their result.
 */
export class Copies {
  private readonly runtime: typeof OnnxRuntime
  private readonly open: Open
  private readonly sessions = new Map<string, Promise<GpuSession>>()

  constructor(runtime: typeof OnnxRuntime, open: Open) {
    this.runtime = runtime
    this.open = open
  }

  async toHost(tensor: OrtTensor): Promise<TensorValue> {
    const session = await this.session(tensor, 'cpu')
    return fromOrt((await session.run({ x: tensor }))['y']!)
  }

  toDevice(value: TensorValue): Promise<GpuTensor> {
    return this.again(toOrt(this.runtime, value))
  }

  /** A tensor of its own on the device. */
  async again(tensor: OrtTensor): Promise<GpuTensor> {
    const session = await this.session(tensor, 'gpu-buffer')
    return session.own((await session.run({ x: tensor }))['y']!)
  }

  async dispose(): Promise<void> {
    for (const session of this.sessions.values()) await (await session).release()
    this.sessions.clear()
  }

  private session({ type }: OrtTensor, location: Location): Promise<GpuSession> {
    const dtype = type === 'float32' ? 'float32' : 'int32'
    const key = `${dtype} ${location}`
    const session = this.sessions.get(key) ?? this.open(identity(dtype), location)
    this.sessions.set(key, session)
    return session
  }
}

function identity(dtype: ElementType): Uint8Array {
  const w = new Writer()
  w.emit('Identity', ['x'], { name: 'y' })
  return encodeModel(w.finish('copy', [anyShape('x', dtype)], [anyShape('y', dtype)]))
}
