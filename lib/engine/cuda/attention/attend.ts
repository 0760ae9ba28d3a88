import type { RunNode } from '../../../graph/index.ts'
import { sizeOf } from '../../../graph/index.ts'
import type { CudaPrecision } from '../../precision.ts'
import type { Homes } from '../homes.ts'
import type { Call } from '../plan.ts'
import type { AttentionStep } from '../schedule.ts'
import type { Pointer, Storage } from '../storage.ts'
import { maskOf, tokensOf } from '../view.ts'
import type { AttentionNode } from '../view.ts'
import { writeDelta } from './delta.ts'
import { writeForward } from './forward.ts'
import { writeKeyGradients, writeQueryGradient } from './gradient.ts'
import { writeMask } from './mask.ts'
import type { AttentionKernel, AttentionShape, AttentionTensor, Mask } from './shape.ts'
import { tilingsFor } from './tilings.ts'

/** Where a kernel finds a tensor; of tokens, how many entries after one the next begins. */
interface Place {
  readonly pointer: Pointer
  readonly pitch?: number
}
type Places = ReadonlyMap<AttentionTensor, Place>

/** The calls of an attention, or of its gradients. What nobody asks for is written all the same. */
export function attend({ nodes }: AttentionStep, home: Homes, precision: CudaPrecision): Call[] {
  const first = nodes[0]!
  const names: readonly AttentionTensor[] = ['q', 'k', 'v', 'o', 'logSum', 'do']
  const seen = maskOf(first)
  const inputs = first.inputs.filter((x) => x !== seen)
  const read = inputs.map((x, i): [AttentionTensor, Place] => [names[i]!, readFrom(x as RunNode, home, precision)])
  const written = nodes.flatMap((node) => writtenTo(node, home))
  const isGradient = first.op === 'attentionGradient'
  const { mask, pointers } = seen ? writeMask(seen, home.layout.plain) : { mask: undefined, pointers: [] }
  const places: Places = new Map([...read, ...written])
  const shape = shapeOf(first, places, mask, precision)
  const known: Places = isGradient ? new Map([...places, ['delta', { pointer: scratch('delta', shape) }]]) : places
  const tilings = tilingsFor(shape)
  const call = (kernel: AttentionKernel, before = pointers): Call => launch(kernel, before, shape, known, nodes)
  if (!isGradient) return [call(writeForward(shape, tilings.forward[0]!))]
  return [
    call(writeDelta(shape), []),
    call(writeKeyGradients(shape, tilings.keyGradients[0]!)),
    call(writeQueryGradient(shape, tilings.queryGradient[0]!)),
  ]
}

function shapeOf(
  { inputs, attributes }: AttentionNode,
  places: Places,
  mask: Mask | undefined,
  precision: CudaPrecision,
): AttentionShape {
  const [batch, length, heads, width] = inputs[0]!.shape as readonly [number, number, number, number]
  const { scale, causal, window } = attributes
  const pitches = Object.fromEntries([...places].flatMap(([name, { pitch }]) => (pitch ? [[name, pitch]] : [])))
  return { precision, batch, heads, length, width, scale, causal, window, mask, pitches }
}

function readFrom(node: RunNode, home: Homes, precision: CudaPrecision): Place {
  if (node.op === 'attentionLogSum') return { pointer: plainOf(node, home) }
  const { pitch, ...view } = tokensOf(node)
  return { pointer: precision === 'bf16' ? home.half(view) : home.plain(view), pitch }
}

function writtenTo(node: AttentionNode, home: Homes): readonly [AttentionTensor, Place][] {
  if (node.op === 'attention') return [['o', { pointer: plainOf(node, home) }]]
  if (node.op === 'attentionLogSum') return [['logSum', { pointer: plainOf(node, home) }]]
  const { of } = node.attributes
  if (of !== 'all') return [[`d${of}`, { pointer: plainOf(node, home) }]]
  const [, , heads, width] = node.shape as readonly [number, number, number, number]
  const pitch = heads * width
  return (['dq', 'dk', 'dv'] as const).map((name, i) => [
    name,
    { pointer: home.plain({ base: node, offset: (i * pitch) / 3 }), pitch },
  ])
}

const plainOf = (node: RunNode, home: Homes): Pointer => home.plain({ base: node, offset: 0 })

function launch(
  { text, tensors, grid }: AttentionKernel,
  before: readonly Pointer[],
  shape: AttentionShape,
  places: Places,
  nodes: readonly AttentionNode[],
): Call {
  const own = tensors.map((tensor) => places.get(tensor)?.pointer ?? scratch(tensor, shape))
  return { kind: 'launch', source: { text, pointers: [...before, ...own], grid }, nodes }
}

/** Memory for what only these kernels, or nobody, needs. */
function scratch(tensor: AttentionTensor, { precision, batch, length, heads, width }: AttentionShape): Pointer {
  const isRow = tensor === 'delta' || tensor === 'logSum'
  const entries = sizeOf([batch, length, heads, isRow ? 1 : width])
  const element = isRow || precision !== 'bf16' ? 'f32' : 'bf16'
  const storage: Storage = { element, entries, place: { kind: 'temporary' } }
  return { storage, offset: 0 }
}
