import { describe, sizeOf } from '../graph/index.ts'
import type { Graph } from '../graph/index.ts'
import { Failure } from '../util/failure.ts'

interface Device {
  readonly name: string
  /** Bytes of the largest tensor that it holds. */
  readonly largest: number
}

/**
 * Throws Failure `TENSOR_TOO_LARGE` for the first tensor of the graph that the device does not hold. All are float32; the
 * halves of one, where an engine makes them, are never more than the half of it.
 */
export function checkSizes({ nodes }: Graph, { name, largest }: Device): void {
  for (const node of nodes) {
    const bytes = sizeOf(node.shape) * 4
    if (bytes <= largest) continue
    const what = node.op === 'input' || node.op === 'state' ? `"${node.attributes.name}"` : `a result of "${node.op}"`
    const found = `${what}, ${describe(node)}, takes ${bytes} bytes, and ${name} holds tensors of at most ${largest} bytes`
    throw new Failure('TENSOR_TOO_LARGE', `${found}: choose another engine, a smaller batch or a smaller chunk`)
  }
}
