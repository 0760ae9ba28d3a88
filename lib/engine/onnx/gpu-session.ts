import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'

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

  run(feeds: Results): Promise<Results> {
    return this.session.run(feeds)
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

/** A tensor on the device, whose owner disposes of it once. */
export class GpuTensor {
  readonly tensor: OrtTensor
  readonly dispose: () => void

  constructor(tensor: OrtTensor, dispose: () => void) {
    this.tensor = tensor
    this.dispose = dispose
  }
}
