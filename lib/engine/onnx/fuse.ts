import type { Graph, Node, RunNode } from '../../graph/index.ts'
import { sameShape, sizeOf } from '../../graph/index.ts'
import type { Dialect } from './ops.ts'
import { isLargeSum } from './sums.ts'
import type { Writer } from './writer.ts'

/** A node that is emitted together with one of its inputs, which is then not emitted by itself. */
export interface Fusion {
  readonly absorbed: RunNode
  readonly emit: (w: Writer, nameOf: (node: object) => string, dialect: Dialect) => string
}

/** What ONNX Runtime does in one pass: by the node that comes last. */
export function findFusions({ nodes, outputs, updates }: Graph, { fusesProducts }: Dialect): Map<RunNode, Fusion> {
  const uses = new Map<object, number>()
  const use = (node: object): unknown => uses.set(node, (uses.get(node) ?? 0) + 1)
  for (const node of [...nodes.flatMap(({ inputs }) => inputs), ...outputs.values(), ...updates.values()]) use(node)
  const exits = new Set<RunNode>([...outputs.values(), ...updates.values()])
  const fusions = new Map<RunNode, Fusion>()
  const taken = new Set<RunNode>()
  for (const node of nodes) {
    const [a, b] = node.inputs as readonly RunNode[]
    if (!a || !b || (node.op !== 'add' && node.op !== 'sub')) continue
    const product =
      fusesProducts && node.op === 'add' ? (addBias(node, a, b) ?? ontoSum(a, b, exits.has(node))) : undefined
    const rows = node.op === 'add' ? (ontoRows(node, a, b) ?? ontoRows(node, b, a)) : undefined
    const fusion = product ?? rows ?? ontoEntries(node, a, b)
    if (!fusion || uses.get(fusion.absorbed) !== 1 || taken.has(fusion.absorbed)) continue
    fusions.set(node, fusion)
    taken.add(fusion.absorbed)
  }
  return fusions
}

/** A·B + bias */
function addBias(node: RunNode, product: RunNode, bias: RunNode): Fusion | undefined {
  if (product.op !== 'matmul' || product.shape.length !== 2 || !sameShape(product.shape, node.shape)) return undefined
  return sameShape(bias.shape, node.shape.slice(-1)) ? productOnto(product, bias) : undefined
}

/**
 * A sum of products (the gradient of a matrix that is used in chunks) + A·B: no product beside the sum. An `exit` gets
 * memory of its own whatever is done.
 */
function ontoSum(sum: RunNode, product: RunNode, exit: boolean): Fusion | undefined {
  const isSum = sum.op === 'matmul' || (sum.op === 'add' && sum.inputs[1]!.op === 'matmul')
  if (!isSum || product.op !== 'matmul' || product.shape.length !== 2) return undefined
  if (!sameShape(sum.shape, product.shape)) return undefined
  const gemm = productOnto(product, sum)
  if (exit || !isLargeSum(sum) || product.attributes.scale !== 1) return gemm
  const names = (nameOf: (node: object) => string): string[] => product.inputs.map(nameOf)
  return {
    absorbed: product,
    emit: (w, nameOf, dialect) =>
      dialect.addProduct?.(w, nameOf(sum), names(nameOf), product) ?? gemm.emit(w, nameOf, dialect),
  }
}

function productOnto(product: Node<'matmul'> & RunNode, onto: RunNode): Fusion {
  const { transposeA, transposeB, scale } = product.attributes
  const attributes = { transA: Number(transposeA), transB: Number(transposeB), alpha: { float: scale } }
  return {
    absorbed: product,
    emit: (w, nameOf) => w.emit('Gemm', [...product.inputs, onto].map(nameOf), { attributes }),
  }
}

/** x + rows added up by id: they are added onto x, and no zeros are made. */
function ontoRows(node: RunNode, rows: RunNode, x: RunNode): Fusion | undefined {
  if (rows.op !== 'scatterAdd' || rows.shape.length !== 2 || !sameShape(x.shape, node.shape)) return undefined
  return {
    absorbed: rows,
    emit: (w, nameOf, { addRows }) => addRows(w, nameOf(x), nameOf(rows.inputs[0]!), nameOf(rows.inputs[1]!), rows),
  }
}

/** x ± a value in one entry of each row. */
function ontoEntries(node: RunNode, x: RunNode, entries: RunNode): Fusion | undefined {
  if (entries.op !== 'putAlong' || !sameShape(x.shape, node.shape) || sizeOf(entries.shape) !== sizeOf(x.shape)) {
    return undefined
  }
  const [ids, updates] = [entries.inputs[0]!, entries.inputs[1]!]
  return {
    absorbed: entries,
    emit: (w, nameOf, { addEntries }) => {
      const values = node.op === 'sub' ? w.emit('Neg', [nameOf(updates)]) : nameOf(updates)
      return addEntries(w, nameOf(x), nameOf(ids), values, entries)
    },
  }
}
