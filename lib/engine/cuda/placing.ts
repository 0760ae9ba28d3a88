import type { Node, RunNode } from '../../graph/index.ts'
import { sizeOf } from '../../graph/index.ts'
import type { Patch } from '../kernel/patches.ts'
import { flatten, never, textOf, unflatten, whole } from './coordinates.ts'
import type { Coordinate } from './coordinates.ts'
import type { Chain, KernelSource } from './kernel.ts'
import { Parameters } from './parameters.ts'
import type { Pointer, Storage } from './storage.ts'

const threads = 256

/** Links the places of equal ids: a warp looks for the next of one, and whether there is one before. */
export function writeChain(
  ids: Pointer,
  { first, next }: Chain,
  fault: Storage,
  node: Node<'scatterAdd'>,
): KernelSource {
  const count = sizeOf(node.inputs[0]!.shape)
  if (count >= 2 ** 24) throw new Error(`Internal error: ${count} places, of which float32 cannot count each`)
  const parameters = new Parameters([first, next, fault], never)
  const [from, begin, follow, wrong] = [ids, at(first), at(next), at(fault)].map((one) => parameters.name(one))
  return kernel(32 * count, parameters, [
    'const Index place = r / 32;',
    'const int lane = threadIdx.x % 32;',
    `const int id = ${from!}[place];`,
    `const bool known = id >= 0 && id < ${node.attributes.rows};`,
    'float follower = 0.0f, before = 0.0f;',
    `for (Index w = place + 1 + lane; w < ${count}; w += 32) if (${from!}[w] == id) { follower = (float)(${count} - w); break; }`,
    `for (Index w = lane; w < place; w += 32) if (${from!}[w] == id) { before = 1.0f; break; }`,
    'follower = warpMax(follower);',
    'before = warpMax(before);',
    'if (lane != 0) return;',
    `${follow!}[place] = known && follower > 0.0f ? ${count} - (int)follower + 1 : 0;`,
    `if (!known) ${wrong!}[0] = 1;`,
    `else if (before == 0.0f) ${begin!}[id] = (int)place + 1;`,
  ])
}

/** Writes a part into the state that it belongs to, in place; a start from which it does not fit in is a fault. */
export function writePatch(
  { node }: Patch,
  { part, start, state, fault }: { part: Pointer; start: Pointer; state: Storage; fault: Storage },
): KernelSource {
  const { axis } = node.attributes
  const update = node.inputs[1] as RunNode
  const parameters = new Parameters([state, fault], never)
  const [from, begin, to, wrong] = [part, start, at(state), at(fault)].map((one) => parameters.name(one))
  const moved = whole({ name: 'start', size: node.shape[axis]! + 1, depth: 0 })
  const places = unflatten(whole({ name: 'r', size: sizeOf(update.shape), depth: 0 }), update.shape, never)
  const into = flatten(
    places.map((one, index) => (index === axis ? both(one, moved) : one)),
    node.shape,
  )
  return kernel(sizeOf(update.shape), parameters, [
    `const Index start = ${begin!}[0];`,
    `if (start < 0 || start > ${node.shape[axis]! - update.shape[axis]!}) { ${wrong!}[0] = 1; return; }`,
    `${to!}[${textOf(into)}] = ${from!}[r];`,
  ])
}

const at = (storage: Storage): Pointer => ({ storage, offset: 0 })

const both = (a: Coordinate, b: Coordinate): Coordinate => ({
  terms: [...a.terms, ...b.terms],
  offset: a.offset + b.offset,
})

function kernel(rows: number, parameters: Parameters, body: readonly string[]): KernelSource {
  const text = [
    `extern "C" __global__ void __launch_bounds__(${threads}) NAME(${parameters.declarations().join(', ')}) {`,
    `  typedef ${parameters.indexType(rows)} Index;`,
    `  const Index r = (Index)blockIdx.x * ${threads} + threadIdx.x;`,
    `  if (r >= ${rows}) return;`,
    ...body.map((line) => `  ${line}`),
    '}',
  ].join('\n')
  return { text, pointers: parameters.pointers, grid: { blocks: [Math.ceil(rows / threads), 1, 1], threads } }
}
