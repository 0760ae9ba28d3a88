import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { Failure } from '../../util/failure.ts'

export type Results = Readonly<Record<string, OrtTensor>>

/** Those that are in use: a session that the collector took would take the memory of its tensors along. */
const alive = new Set<GpuSession>()

/** A session that stays until the last tensor is gone that it made on the device: their memory is its own. */
export class GpuSession {
  private readonly session: InferenceSession
  private tensors = 0
  private isDone = false

  constructor(session: InferenceSession) {
    this.session = session
    alive.add(this)
  }

  /** Throws Failure `DEVICE_FAILED`: what ONNX Runtime is given was checked before, and what fails is the device. */
  async run(feeds: Results): Promise<Results> {
    try {
      return await this.session.run(feeds)
    } catch (cause) {
      throw new Failure('DEVICE_FAILED', failureOf(cause), { exitCode: 1, cause })
    }
  }

  /** Takes over a result that lies on the device. */
  own(tensor: OrtTensor): GpuTensor {
    this.tensors++
    return new GpuTensor(tensor, () => this.giveBack(tensor))
  }

  /** No run follows. */
  async release(): Promise<void> {
    this.isDone = true
    if (this.tensors > 0 || !alive.delete(this)) return
    await this.session.release()
  }

  private giveBack(tensor: OrtTensor): void {
    tensor.dispose()
    this.tensors--
    if (this.isDone) void this.release()
  }
}

function failureOf(cause: unknown): string {
  const reason = (cause instanceof Error ? cause.message : String(cause)).trim().replaceAll(/\s+/g, ' ')
  const what = /device\]? (is|was) lost/i.test(reason) ? 'was lost' : 'failed'
  return `the graphics device of onnx-webgpu ${what} in the middle of work (${reason}): see that it and its driver work, and run again; a training goes on from its last checkpoint`
}

/** A tensor on the device, whose owner disposes of it once. */
export class GpuTensor {
  readonly tensor: OrtTensor
  readonly dispose: () => void

  constructor(tensor: OrtTensor, dispose: () => void) {
    this.tensor = tensor
    this.dispose = dispose
  }
}
