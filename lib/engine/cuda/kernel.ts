import type { RunNode } from '../../graph/index.ts'
import { keyOf } from './coordinates.ts'
import type { Coordinate } from './coordinates.ts'
import type { Grid } from './device.ts'
import { Emitter } from './emitter.ts'
import { Parameters } from './parameters.ts'
import { readsOf, writeEntry } from './reads.ts'
import { formIn, isReduction, reductionSpace, sameSpace } from './space.ts'
import type { Form, Reduction, Space } from './space.ts'
import type { Pointer, Storage } from './storage.ts'

/** A node that a kernel computes. */
export interface Root {
  readonly node: RunNode
  /** Where it is written: nowhere where only this kernel uses it. */
  readonly into: readonly Storage[]
}

/** Places of a scatterAdd's ids, linked: those with the same id, in order. Counted from 1; 0 is none. */
export interface Chain {
  readonly first: Storage
  readonly next: Storage
}

/** Where everything is that kernels read. */
export interface Layout {
  readonly plain: ReadonlyMap<RunNode, Storage>
  readonly chains: ReadonlyMap<RunNode, Chain>
  readonly fault: Storage
  readonly isComputed: (node: RunNode) => boolean
}

export interface KernelSource {
  /** CUDA C++ of one kernel, whose name is `NAME`. */
  readonly text: string
  readonly pointers: readonly Pointer[]
  readonly grid: Grid
  /** Of what it takes, what it writes to; undefined where that may be all. */
  readonly writes?: ReadonlySet<Storage>
}

/** A kernel that computes `roots`, inputs before users, for all entries of the space. */
export function writeKernel(space: Space, roots: readonly Root[], layout: Layout): KernelSource {
  return new KernelWriter(space, roots, layout).write()
}

const threads = 256

class KernelWriter {
  private readonly parameters: Parameters
  private readonly emitter: Emitter
  private readonly forms: ReadonlyMap<RunNode, Form>
  /** Reductions that are done, and their C names. */
  private readonly reduced = new Map<RunNode, string>()
  /** Entries that an earlier loop wrote. */
  private readonly written = new Set<RunNode>()
  /** Sums of powers, each with the maximum that it takes off: one loop finds both. */
  private readonly maxima: ReadonlyMap<RunNode, RunNode>
  private readonly loops: boolean
  private readonly lanes: number

  private readonly space: Space
  private readonly roots: readonly Root[]
  private readonly layout: Layout

  constructor(space: Space, roots: readonly Root[], layout: Layout) {
    this.space = space
    this.roots = roots
    this.layout = layout
    this.parameters = new Parameters(
      roots.flatMap(({ into }) => into),
      (dividend, divisor) => this.emitter.divide(dividend, divisor),
    )
    this.forms = new Map(roots.map(({ node }) => [node, formIn(space, node)!]))
    this.maxima = maximaOf(roots.map(({ node }) => node))
    this.loops = [...this.forms.values()].some((form) => form !== 'row')
    this.lanes = lanesOf(space, this.loops)
    this.emitter = new Emitter({
      read: (node, place) => this.read(node, place),
      first: (node, row) => this.parameters.read(layout.chains.get(node)!.first, row, 'int32'),
      next: (node, place) =>
        `${this.parameters.name({ storage: layout.chains.get(node)!.next, offset: -1 })}[${place}]`,
      fault: () => `${this.parameters.name({ storage: layout.fault, offset: 0 }, true)}[0]`,
    })
  }

  write(): KernelSource {
    const levels = this.levels()
    const last = Math.max(...levels.values())
    for (let level = 0; level <= last; level++) {
      const now = this.roots.filter(({ node }) => levels.get(node) === level)
      this.writeRows(now.filter(({ node }) => this.forms.get(node) === 'row'))
      const looped = now.filter(({ node }) => this.forms.get(node) !== 'row')
      if (looped.length > 0) this.writeLoop(looped)
    }
    const width = Math.max(threads, this.lanes)
    // so that a thread has several loads under way at once
    const each = !this.loops && this.space.rows >= 2 ** 20 ? 4 : 1
    const blocks = Math.ceil((this.space.rows * this.lanes) / (width * each))
    const { pointers, written: writes } = this.parameters
    return { text: this.text(width, each), pointers, grid: { blocks: [blocks, 1, 1], threads: width }, writes }
  }

  /** In which loop over its row each root is computed: after those of the reductions that it needs. */
  private levels(): Map<RunNode, number> {
    const levels = new Map<RunNode, number>()
    const { plain, isComputed } = this.layout
    for (const { node } of this.roots) {
      const isThere = (one: RunNode): boolean =>
        one === node && isComputed(one) ? false : levels.has(one) || plain.has(one)
      const { places } = readsOf(node, this.space, isThere)
      const own = this.maxima.get(node)
      const needed = [...places.keys()].map(
        (from) => (levels.get(from) ?? 0) + (this.reduces(from) && from !== own ? 1 : 0),
      )
      levels.set(node, Math.max(0, ...needed))
    }
    return levels
  }

  private readonly reduces = (node: RunNode): boolean => this.forms.get(node) === 'reduction'

  /** All is computed before anything is written: one root may be written over what another one reads. */
  private writeRows(roots: readonly Root[]): void {
    const values = roots.map(({ node }) => writeEntry(this.emitter, node, this.space))
    roots.forEach(({ into }, i) => this.storeRow(into, values[i]!))
  }

  private storeRow(into: readonly Storage[], value: string): void {
    for (const storage of into) {
      const store = this.parameters.write(storage, this.space.row, value)
      this.emitter.line(this.lanes === 1 ? store : `if (lane == 0) ${store}`)
    }
  }

  private writeLoop(roots: readonly Root[]): void {
    const { emitter, space, lanes } = this
    const sums = roots.filter(({ node }) => isReduction(node)).map((root) => ({ ...root, sum: emitter.name('a') }))
    const names = new Map(sums.map(({ node, sum }) => [node, sum]))
    const running = new Set(this.maxima.values())
    for (const { node, sum } of sums) {
      // what no number is less than, so that nothing is taken off infinity
      const least = running.has(node) ? 'bitsToFloat(0xff7fffffu)' : 'bitsToFloat(0xff800000u)'
      emitter.line(`float ${sum} = ${node.op === 'sum' ? '0.0f' : least};`)
    }
    const { head, begin } = loopOver(space.width, lanes)
    const loop = (): void => {
      for (const line of begin) emitter.line(line)
      const entries = roots.filter(({ node }) => !isReduction(node))
      const values = entries.map(({ node }) => writeEntry(emitter, node, space))
      for (const { node, sum } of sums) {
        const maximum = this.maxima.get(node)
        if (running.has(node)) continue
        const value = writeEntry(emitter, maximum ?? node, space)
        const most = maximum && names.get(maximum)!
        if (most) {
          emitter.line(`if (${value} > ${most}) { ${sum} *= exponential(${most} - ${value}); ${most} = ${value}; }`)
          emitter.line(`${sum} += exponential(${value} - ${most});`)
        } else emitter.line(node.op === 'sum' ? `${sum} += ${value};` : `${sum} = greaterOf(${sum}, ${value});`)
      }
      entries.forEach(({ into }, i) => {
        for (const storage of into) emitter.line(this.parameters.write(storage, space.entry, values[i]!))
      })
    }
    emitter.block(head, loop, true)
    for (const { node } of roots) this.written.add(node)
    for (const { node, into, sum } of sums) this.finish(node, into, this.ofAll(node, sum, names))
  }

  /** What a thread has summed up over its own maximum, over that of all. */
  private ofAll(node: RunNode, sum: string, names: ReadonlyMap<RunNode, string>): string {
    const maximum = this.maxima.get(node)
    return maximum ? `${sum} * exponential(${names.get(maximum)!} - ${this.reduced.get(maximum)!})` : sum
  }

  private finish(node: RunNode, into: readonly Storage[], sum: string): void {
    const name = this.emitter.name('s')
    const kind = node.op === 'sum' ? 'Sum' : 'Max'
    const { lanes } = this
    const all = lanes === 1 ? sum : lanes === 32 ? `warp${kind}(${sum})` : `block${kind}<${lanes / 32}>(${sum}, shared)`
    this.emitter.line(`const float ${name} = ${all};`)
    this.reduced.set(node, name)
    this.storeRow(into, name)
  }

  private read(node: RunNode, place: Coordinate): string | undefined {
    const form = this.forms.get(node)
    const storage = this.layout.plain.get(node)
    if (form === undefined || !this.layout.isComputed(node))
      return storage && this.parameters.read(storage, place, node.dtype)
    const expected = form === 'entry' ? this.space.entry : this.space.row
    if (keyOf(place) !== keyOf(expected))
      throw new Error('Internal error: a kernel reads what other threads of it write')
    if (form === 'reduction') return this.reduced.get(node)
    return storage && this.written.has(node) ? this.parameters.read(storage, place, node.dtype) : undefined
  }

  private text(width: number, each: number): string {
    const { lanes, space, emitter, parameters } = this
    const start = [
      `typedef ${parameters.indexType(Math.max(space.rows * lanes, space.rows * space.width))} Index;`,
      ...(lanes > 32 ? [`__shared__ float shared[${lanes / 32}];`] : []),
      ...(lanes > 1 ? [`const Index lane = threadIdx.x % ${lanes};`] : []),
    ]
    const thread = `(Index)blockIdx.x * ${width * each} + ${each > 1 ? `n * ${width} + ` : ''}threadIdx.x`
    const row = [
      lanes === 1 ? `const Index r = ${thread};` : `const Index r = (${thread}) / ${lanes};`,
      ...((space.rows * lanes) % (width * each) === 0 ? [] : [`if (r >= ${space.rows}) return;`]),
      ...emitter.lines,
    ]
    const body = each === 1 ? row : ['#pragma unroll', `for (int n = 0; n < ${each}; ++n) {`, ...row.map(indented), '}']
    const head = `extern "C" __global__ void __launch_bounds__(${width}) NAME(${parameters.declarations().join(', ')}) {`
    return [head, ...[...start, ...body].map(indented), '}'].join('\n')
  }
}

/** Σ exp(x − max x): of each such sum, the maximum, where both are among the nodes. */
function maximaOf(nodes: readonly RunNode[]): ReadonlyMap<RunNode, RunNode> {
  const found = new Map<RunNode, RunNode>()
  for (const node of nodes) {
    const [powers] = node.inputs
    const centred = node.op === 'sum' && powers?.op === 'exp' ? powers.inputs[0]! : undefined
    // what is written itself is read, and that once its maximum is known
    if (centred?.op !== 'sub' || nodes.includes(centred) || nodes.includes(powers as RunNode)) continue
    const [x, less] = centred.inputs as readonly [RunNode, RunNode]
    const maximum = wholeOf(less)
    const isOwn =
      maximum.op === 'max' &&
      maximum.inputs[0] === x &&
      sameSpace(reductionSpace(node as Reduction), reductionSpace(maximum))
    const isFree = nodes.includes(maximum) && ![...found.values()].includes(maximum)
    if (isOwn && isFree) found.set(node, maximum)
  }
  return found
}

function wholeOf(node: RunNode): RunNode {
  return node.op === 'reshape' || node.op === 'broadcastTo' ? wholeOf(node.inputs[0] as RunNode) : node
}

const indented = (line: string): string => `  ${line}`

/** What a thread holds of a row in registers. */
const mostHeld = 32

/**
 * C of the loop in which a thread goes over its entries `w` of a row. One of few rounds is written out by the compiler,
 * which then loads all entries at once, and a row that several loops read once for all of them.
 */
function loopOver(width: number, lanes: number): { readonly head: string; readonly begin: readonly string[] } {
  // several loads are under way at once
  if (lanes === 1) return { head: `_Pragma("unroll 8") for (Index w = 0; w < ${width}; ++w)`, begin: [] }
  const rounds = width / lanes
  if (rounds > mostHeld || width % lanes !== 0)
    return { head: `_Pragma("unroll 4") for (Index w = lane; w < ${width}; w += ${lanes})`, begin: [] }
  return {
    head: `_Pragma("unroll") for (Index round = 0; round < ${rounds}; ++round)`,
    begin: [`const Index w = round * ${lanes} + lane;`],
  }
}

/** Threads that share a row: one where rows are neighbours in memory, a warp, or a block. */
function lanesOf({ rows, width, alongRows }: Space, loops: boolean): number {
  if (!loops || !alongRows || width <= 8) return 1
  if (width < 256 || (width <= 2048 && rows >= 512)) return 32
  return width <= 8192 ? threads : 4 * threads
}
