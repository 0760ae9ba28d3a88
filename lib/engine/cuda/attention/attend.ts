import type { RunNode } from '../../../graph/index.ts'
import { sizeOf } from '../../../graph/index.ts'
import type { Homes } from '../homes.ts'
import type { Call } from '../plan.ts'
import type { AttentionStep } from '../schedule.ts'
import type { Pointer, Storage } from '../storage.ts'
import { tokensOf } from '../view.ts'
import type { AttentionNode } from '../view.ts'
import { writeDelta } from './delta.ts'
import { writeForward } from './forward.ts'
import { writeKeyGradients, writeQueryGradient } from './gradient.ts'
import type { AttentionKernel, AttentionShape, AttentionTensor, TokenTensor } from './shape.ts'
import { tilingsFor } from './tilings.ts'

type Tensors = ReadonlyMap<AttentionTensor, Pointer>

/** The calls of an attention, or of its gradients. What nobody asks for is written all the same. */
export function attend({ nodes }: AttentionStep, home: Homes): Call[] {
  const first = nodes[0]!
  const names: readonly AttentionTensor[] = ['q', 'k', 'v', 'o', 'logSum', 'do']
  const read = first.inputs.map((x, i) => [names[i]!, readFrom(x as RunNode, home)] as const)
  const pitches = Object.fromEntries(read.flatMap(([name, { pitch }]) => (pitch === undefined ? [] : [[name, pitch]])))
  const shape = shapeOf(first, pitches)
  const given: Tensors = new Map(read.map(([name, { pointer }]) => [name, pointer]))
  const tilings = tilingsFor(shape)
  if (first.op !== 'attentionGradient') {
    const made = new Map(nodes.map((node) => [node.op === 'attention' ? 'o' : 'logSum', plainOf(node, home)] as const))
    return [launch(writeForward(shape, tilings.forward[0]!), new Map([...given, ...made]), shape, nodes)]
  }
  const made = nodes.flatMap((node) =>
    node.op === 'attentionGradient' ? [[`d${node.attributes.of}`, plainOf(node, home)] as const] : [],
  )
  const all = new Map<AttentionTensor, Pointer>([...given, ...made, ['delta', scratch('delta', shape)]])
  const kernels = [
    writeDelta(shape),
    writeKeyGradients(shape, tilings.keyGradients[0]!),
    writeQueryGradient(shape, tilings.queryGradient[0]!),
  ]
  return kernels.map((kernel) => launch(kernel, all, shape, nodes))
}

function shapeOf({ inputs, attributes }: AttentionNode, pitches: Partial<Record<TokenTensor, number>>): AttentionShape {
  const [batch, length, heads, width] = inputs[0]!.shape as readonly [number, number, number, number]
  const { scale, window } = attributes
  return { batch, heads, length, width, scale, causal: true, window, mask: undefined, pitches }
}

function readFrom(node: RunNode, home: Homes): { readonly pointer: Pointer; readonly pitch?: number } {
  if (node.op === 'attentionLogSum') return { pointer: plainOf(node, home) }
  const { pitch, ...view } = tokensOf(node)
  return { pointer: home.half(view), pitch }
}

const plainOf = (node: RunNode, home: Homes): Pointer => home.plain({ base: node, offset: 0 })

function launch(
  { text, tensors, grid }: AttentionKernel,
  places: Tensors,
  shape: AttentionShape,
  nodes: readonly RunNode[],
): Call {
  const pointers = tensors.map((tensor) => places.get(tensor) ?? scratch(tensor, shape))
  return { kind: 'launch', source: { text, pointers, grid }, nodes }
}

/** Memory for what only these kernels, or nobody, needs. */
function scratch(tensor: AttentionTensor, { batch, length, heads, width }: AttentionShape): Pointer {
  const isRow = tensor === 'delta' || tensor === 'logSum'
  const entries = sizeOf([batch, length, heads, isRow ? 1 : width])
  const storage: Storage = { element: isRow ? 'f32' : 'bf16', entries, place: { kind: 'temporary' } }
  return { storage, offset: 0 }
}
