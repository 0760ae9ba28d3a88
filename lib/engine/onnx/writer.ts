import type { Shape } from '../../graph/index.ts'
import { elementType } from './proto.ts'
import type { AttributeProto, ElementType, GraphProto, NodeProto, TensorProto, ValueInfoProto } from './proto.ts'

export type AttributeValue = number | string | readonly number[] | { readonly float: number }

export interface EmitOptions {
  readonly attributes?: Readonly<Record<string, AttributeValue>>
  /** `com.microsoft` for ONNX Runtime's own ops. */
  readonly domain?: string
  /** How many outputs the op has. 1. */
  readonly outputs?: number
  /** Of the (first) output; one that says the op where not given. */
  readonly name?: string
}

/** Collects the nodes and constants of one ONNX graph; tensors go by name. */
export class Writer {
  readonly nodes: NodeProto[] = []
  private readonly initializers = new Map<string, TensorProto>()
  private readonly memo = new Map<string, readonly string[]>()
  private count = 0

  /** Adds a node and returns the name of its (first) output. */
  emit(opType: string, inputs: readonly string[], options: EmitOptions = {}): string {
    return this.emitAll(opType, inputs, options)[0]!
  }

  emitAll(opType: string, inputs: readonly string[], options: EmitOptions = {}): readonly string[] {
    const { attributes = {}, domain = '', outputs = 1, name = `${opType}_${this.count++}` } = options
    const output = Array.from({ length: outputs }, (_, i) => (i === 0 ? name : `${name}_${i}`))
    const attribute = Object.entries(attributes).map(([key, value]) => encodeAttribute(key, value))
    this.nodes.push({ opType, domain, name, input: inputs, output, attribute })
    return output
  }

  /** What `make` emitted when this key was first asked for. */
  once(key: string, make: () => readonly string[]): readonly string[] {
    const known = this.memo.get(key) ?? make()
    this.memo.set(key, known)
    return known
  }

  /** Constant int64: shapes, axes. */
  ints(values: readonly number[]): string {
    return this.constant('int64', [values.length], new BigInt64Array(values.map(BigInt)))
  }

  float(value: number): string {
    return this.constant('float32', [], Float32Array.of(value))
  }

  constant(type: ElementType, shape: Shape, data: ArrayBufferView): string {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const small = bytes.length <= 256
    const name = small ? `c_${type}_${shape.join('x')}_${Buffer.from(bytes).toString('hex')}` : `c_${this.count++}`
    if (!this.initializers.has(name)) this.add({ name, dims: shape, dataType: elementType[type], rawData: bytes })
    return name
  }

  /** A constant under a name of its own. */
  add(tensor: TensorProto): void {
    this.initializers.set(tensor.name, tensor)
  }

  finish(name: string, input: readonly ValueInfoProto[], output: readonly ValueInfoProto[]): GraphProto {
    return { name, node: this.nodes, initializer: [...this.initializers.values()], input, output }
  }
}

export interface BorderType {
  /** A length that is known when the model runs goes by a name. */
  readonly shape: readonly (number | string)[]
  readonly dtype: ElementType
}

/** How a tensor is declared at the graph's border: `bool` travels as int32. */
export function valueInfo(name: string, { shape, dtype }: BorderType): ValueInfoProto {
  const elemType = elementType[dtype === 'bool' ? 'int32' : dtype]
  const dim = shape.map((length) => (typeof length === 'number' ? { dimValue: length } : { dimParam: length }))
  return { name, type: { tensorType: { elemType, shape: { dim } } } }
}

/** A tensor of any shape at the graph's border. */
export const anyShape = (name: string, dtype: ElementType): ValueInfoProto => ({
  name,
  type: { tensorType: { elemType: elementType[dtype] } },
})

function encodeAttribute(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'number') return { name, type: 2, i: value }
  if (typeof value === 'string') return { name, type: 3, s: Buffer.from(value) }
  return 'float' in value ? { name, type: 1, f: value.float } : { name, type: 7, ints: value }
}
