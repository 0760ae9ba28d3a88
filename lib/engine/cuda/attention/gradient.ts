import { checkShape, float, isHeld, layoutOf, pitchOf, readType, writtenType } from './shape.ts'
import type { AttentionKernel, AttentionShape, AttentionTensor, Layout, Tiling, TokenTensor } from './shape.ts'
import { blocksOf, evenText, hideText, idleText, placeText, rangeText, shareText } from './sight.ts'
import type { Side } from './sight.ts'

/*
 * With P = softmax(scale · q·kᵀ), made again from its log-sums, and dP = do·vᵀ:
 *   dS = P ∘ (dP − delta)   dq = scale · dS·k   dk = scale · dSᵀ·q   dv = Pᵀ·do
 * Each kernel sums up over what it loops over, in order, so that nothing is added by two blocks.
 */

/** dq: a block for each tile of queries, which goes over the keys. Takes what `writeForward` and `writeDelta` made. */
export function writeQueryGradient(shape: AttentionShape, { queries, keys, warps }: Tiling): AttentionKernel {
  return new GradientWriter(shape, layoutOf(shape, queries, keys, warps), 'queries').write()
}

/** dk and dv: a block for each tile of keys, which goes over the queries. */
export function writeKeyGradients(shape: AttentionShape, { queries, keys, warps }: Tiling): AttentionKernel {
  return new GradientWriter(shape, layoutOf(shape, keys, queries, warps), 'keys').write()
}

/** What the rows and the columns of the scores are made of, and then those of dP. */
const operands = {
  queries: { rows: ['q', 'do'], columns: ['k', 'v'], written: ['dq'] },
  keys: { rows: ['k', 'v'], columns: ['q', 'do'], written: ['dk', 'dv'] },
} as const

class GradientWriter {
  private readonly names: ReadonlyMap<AttentionTensor, string>

  private readonly shape: AttentionShape
  private readonly layout: Layout
  private readonly side: Side

  constructor(shape: AttentionShape, layout: Layout, side: Side) {
    checkShape(shape)
    this.shape = shape
    this.layout = layout
    this.side = side
    const before = shape.mask?.declarations.length ?? 0
    const tensors: AttentionTensor[] = [...operands[side].written, 'q', 'k', 'v', 'do', 'logSum', 'delta']
    this.names = new Map(tensors.map((tensor, n) => [tensor, `p${before + n}`]))
  }

  write(): AttentionKernel {
    const { shape, layout, side } = this
    const { rows, columns, threads, rowBytes } = layout
    const sums = operands[side].written.map((name) => `${name}[${layout.groups}][${shape.width / 8}][4]`)
    const text = `extern "C" __global__ void __launch_bounds__(${threads}) NAME(${this.declarations().join(', ')}) {
  DYNAMIC_SHARED(shared);${placeText(shape, layout, side)}${rangeText(shape, layout, side)}
${this.loadText()}
  float ${sums.join(', ')};
${operands[side].written.map((name) => `  tiles::clear(${name});`).join('\n')}
${this.loopText()}
${this.storeText()}
}`
    const shared = (2 * rows + 4 * columns) * rowBytes + 2 * this.statistics
    return { text, tensors: [...this.names.keys()], grid: { blocks: [blocksOf(shape, layout), 1, 1], threads, shared } }
  }

  private declarations(): readonly string[] {
    const own = [...this.names].map(([tensor, name]) => {
      if (tensor === 'logSum' || tensor === 'delta') return `const float* __restrict__ ${name}`
      const isWritten = tensor === 'dq' || tensor === 'dk' || tensor === 'dv'
      return `${isWritten ? writtenType(this.shape) : readType(this.shape)} ${name}`
    })
    return [...(this.shape.mask?.declarations ?? []), ...own]
  }

  /** Bytes of the log-sums and deltas of a tile of queries, where those are columns. */
  private get statistics(): number {
    return this.side === 'keys' ? 8 * this.layout.columns : 0
  }

  private copy(count: number, tensor: TokenTensor, to: string, start: string): string {
    const { width, length } = this.shape
    const { chunks, threads } = this.layout
    const pitch = pitchOf(this.shape, tensor)
    const from = `${this.names.get(tensor)!} + (token + ${start}) * ${pitch} + h * ${width}`
    return `tiles::copyTile<${count}, ${width}, ${chunks}, ${threads}, ${pitch}>(${to}, ${from}, ${length} - ${start});`
  }

  private get stageBytes(): number {
    return 2 * this.layout.columns * this.layout.rowBytes + this.statistics
  }

  private loadText(): string {
    const { rows, columns, rowBytes } = this.layout
    const { rows: own, columns: others } = operands[this.side]
    return `
  const tiles::Shared own = tiles::sharedAddress(shared), stages = own + ${2 * rows * rowBytes};
  const auto copyColumns = [&](int tile) {
    const int at = tile * ${columns};
    const tiles::Shared to = stages + (tile - begin) % 2 * ${this.stageBytes};
    ${this.copy(columns, others[0], 'to', 'at')}
    ${this.copy(columns, others[1], `to + ${columns * rowBytes}`, 'at')}${this.side === 'keys' ? this.copyStatisticsText() : ''}
  };
  ${this.copy(rows, own[0], 'own', 'first')}
  ${this.copy(rows, own[1], `own + ${rows * rowBytes}`, 'first')}
  copyColumns(begin);${this.side === 'queries' ? this.rowStatisticsText() : ''}${this.isHeld ? this.holdText() : ''}`
  }

  private copyStatisticsText(): string {
    const { length } = this.shape
    const { columns, threads, rowBytes } = this.layout
    return `
    for (int one = threadIdx.x; one < ${2 * columns}; one += ${threads}) {
      const int query = at + one % ${columns};
      const bool inside = query < ${length};
      const float* from = one < ${columns} ? ${this.names.get('logSum')!} : ${this.names.get('delta')!};
      tiles::copyAsync4(to + ${2 * columns * rowBytes} + 4 * one, from + (inside ? line + query : 0), inside);
    }`
  }

  private rowStatisticsText(): string {
    const { length, mask } = this.shape
    const { groups } = this.layout
    const even = mask ? `, evens[${groups}][2]` : ''
    return `
  float logSums[${groups}][2], deltas[${groups}][2]${even};
#pragma unroll
  for (int m = 0; m < ${groups}; ++m)
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int query = mine + 16 * m + 8 * r + lane / 4;
      logSums[m][r] = query < ${length} ? ${this.names.get('logSum')!}[line + query] : 0.0f;
      deltas[m][r] = query < ${length} ? ${this.names.get('delta')!}[line + query] : 0.0f;
      ${mask ? `evens[m][r] = ${evenText(this.shape, 'query')};` : ''}
    }`
  }

  private get isHeld(): boolean {
    return isHeld(this.shape, this.layout, 2)
  }

  private holdText(): string {
    const { groups, chunks, rows, rowBytes, steps } = this.layout
    return `
  tiles::waitForCopies();
  __syncthreads();
  unsigned held[2][${steps}][${groups}][4];
#pragma unroll
  for (int k = 0; k < ${steps}; ++k) {
    tiles::loadOperand<${groups}, ${chunks}>(held[0][k], own, warp * ${16 * groups}, k);
    tiles::loadOperand<${groups}, ${chunks}>(held[1][k], own + ${rows * rowBytes}, warp * ${16 * groups}, k);
  }`
  }

  private loopText(): string {
    const { shape, layout, side } = this
    const { rows, columns, rowBytes, groups, chunks } = layout
    const form = `<${groups}, ${columns}, ${shape.width}, ${chunks}>`
    const operand = (n: 0 | 1): string =>
      this.isHeld ? `held[${n}]` : `own + ${n * rows * rowBytes}, warp * ${16 * groups}`
    const second = `to + ${columns * rowBytes}`
    return `
  for (int tile = begin; tile < end; ++tile) {
    tiles::waitForCopies();
    __syncthreads(); // this tile is there, and nobody reads the one before any longer
    if (tile + 1 < end) copyColumns(tile + 1);
    const int at = tile * ${columns};
    const tiles::Shared to = stages + (tile - begin) % 2 * ${this.stageBytes};
    if (${idleText(shape, layout, side)}) continue;
    float scores[${groups}][${columns / 8}][4], derivatives[${groups}][${columns / 8}][4];
    tiles::clear(scores);
    tiles::multiplyRows${form}(scores, ${operand(0)}, to);${hideText(shape, layout, side)}${this.sharesText()}
    ${side === 'keys' ? `tiles::multiplyColumns${form}(dv, scores, ${second});` : ''}
    tiles::clear(derivatives);
    tiles::multiplyRows${form}(derivatives, ${operand(1)}, ${second});${this.derivativesText()}
    tiles::multiplyColumns${form}(${side === 'keys' ? 'dk' : 'dq'}, scores, to);
  }`
  }

  /** scores → shares */
  private sharesText(): string {
    const { shape, side } = this
    const [logSum, even] =
      side === 'queries'
        ? ['logSums[m][e / 2]', shape.mask ? 'evens[m][e / 2]' : '']
        : ['(e % 2 ? of.y : of.x)', evenText(shape, `(at + 8 * n + lane % 4 * 2 + e % 2)`)]
    const power = shareText(shape, 'scores[m][n][e]', logSum, even)
    return this.entriesText(0, `scores[m][n][e] = tiles::powerOf2(${power});`)
  }

  /** dP → dS, in the place of the scores */
  private derivativesText(): string {
    const delta = this.side === 'queries' ? 'deltas[m][e / 2]' : '(e % 2 ? of.y : of.x)'
    return this.entriesText(1, `scores[m][n][e] *= derivatives[m][n][e] - ${delta};`)
  }

  /** For all that a lane has; \`of\` is what the queries of its two columns have, of their log-sums or of their deltas. */
  private entriesText(kind: 0 | 1, body: string): string {
    const { groups, columns, rows, rowBytes } = this.layout
    const start = `shared + ${2 * rows * rowBytes + 2 * columns * rowBytes} + (tile - begin) % 2 * ${this.stageBytes}`
    const place = `${4 * kind * columns} + (8 * n + lane % 4 * 2) * 4`
    const of = this.side === 'keys' ? `\n      const float2 of = *(const float2*)(${start} + ${place});` : ''
    return `
#pragma unroll
    for (int n = 0; n < ${columns / 8}; ++n) {${of}
#pragma unroll
      for (int m = 0; m < ${groups}; ++m)
#pragma unroll
        for (int e = 0; e < 4; ++e) ${body}
    }`
  }

  private storeText(): string {
    const { length, width, scale } = this.shape
    const { groups, chunks, rows, rowBytes } = this.layout
    const stores = operands[this.side].written.map((name, n) => {
      const pitch = pitchOf(this.shape, name)
      const to = `${this.names.get(name)!} + (token + mine) * ${pitch} + h * ${width}`
      const own = `shared + ${n * rows * rowBytes} + warp * ${16 * groups * rowBytes}`
      const factor = name === 'dv' ? '1.0f' : float(scale)
      return `  tiles::storeRows<${groups}, ${width}, ${chunks}, ${pitch}>(${to}, ${own}, ${name}, ${factor}, ${length} - mine);`
    })
    return stores.join('\n')
  }
}
