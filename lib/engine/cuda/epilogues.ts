import type { Graph, RunNode } from '../../graph/index.ts'
import { readersOf } from './accumulate.ts'
import type { MatmulShape } from './device.ts'
import { isGiven } from './is-given.ts'
import { alignment } from './rows.ts'
import { operandOf } from './view.ts'
import type { Product } from './view.ts'

/** What is done to a product's rows before they are written. */
export interface Epilogue {
  readonly product: Product
  readonly bias: RunNode
  readonly kind: Exclude<MatmulShape['epilogue'], 'none'>
}

/** By what is then in memory: the sum with the bias, or its GELU. */
export type Epilogues = ReadonlyMap<RunNode, Epilogue>

/**
 * Sums of a product and a bias, and GELU of such sums, of which every entry would be written anyway, for products or
 * attention to read it: the product writes them, where a kernel would read its rows and write them once more. Not where
 * something else reads what is on the way, as GELU's derivative does.
 */
export function epilogues(graph: Graph, operands: ReadonlySet<RunNode>): Epilogues {
  const results = new Set<unknown>([...graph.outputs.values(), ...graph.updates.values()])
  const readers = readersOf(graph)
  const isOnTheWay = (node: RunNode): boolean => readers.get(node)!.length === 1 && !results.has(node)
  const found = new Map<RunNode, Epilogue>()
  for (const node of graph.nodes) {
    if (!operands.has(node)) continue
    const sum = node.op === 'gelu' ? beforeReshapes(inputsOf(node)[0]!, isOnTheWay) : node
    const biased = sum && biasedProduct(sum)
    if (biased && isOnTheWay(biased.product))
      found.set(node, { ...biased, kind: node.op === 'gelu' ? 'bias-gelu' : 'bias' })
  }
  return found
}

/** Undefined where something else reads it, or one of the reshapes. */
function beforeReshapes(node: RunNode, isOnTheWay: (node: RunNode) => boolean): RunNode | undefined {
  if (!isOnTheWay(node)) return undefined
  return node.op === 'reshape' ? beforeReshapes(inputsOf(node)[0]!, isOnTheWay) : node
}

/** Of rows and columns that are not padded: a bias would stand where zeros must be. */
function biasedProduct(sum: RunNode): Omit<Epilogue, 'kind'> | undefined {
  const [product, bias] = inputsOf(sum)
  if (sum.op !== 'add' || product?.op !== 'matmul' || !bias) return undefined
  const isRow = bias.shape.length === 1 && bias.shape[0] === product.shape.at(-1) && isGiven(bias)
  const isEven = product.shape.every((extent) => extent % alignment === 0)
  return isRow && product.shape.length === 2 && isEven ? { product, bias } : undefined
}

/** What a product reads: its operands, and the bias of its epilogue. */
export function basesRead(step: { readonly node: Product; readonly epilogue: Epilogue | undefined }): RunNode[] {
  const operands = inputsOf(step.node).map((operand) => operandOf(operand).base)
  return step.epilogue ? [...operands, step.epilogue.bias] : operands
}

const inputsOf = (node: RunNode): readonly RunNode[] => node.inputs as readonly RunNode[]
