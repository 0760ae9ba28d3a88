import { LOG2_E, float } from './shape.ts'
import type { AttentionShape, Layout } from './shape.ts'

/** What a block's rows are; its columns are the other. */
export type Side = 'queries' | 'keys'

/** A row of nothing but −1e9 is one that sees no key. */
const HOPELESS = '-5e8f'
const MINUS_INFINITY = 'bitsToFloat(0xff800000u)'

/** C of where a block works: `tile` of the head `h` in row `b`, the first row of the tile, and that of the warp. */
export function placeText(shape: AttentionShape, { rows, groups }: Layout, side: Side): string {
  const { batch, heads, length, causal } = shape
  const all = batch * heads
  const turn = `(int)(blockIdx.x / ${all})`
  // the blocks with most to do come first
  const tile = side === 'queries' && causal ? `${Math.ceil(length / rows) - 1} - ${turn}` : turn
  return `
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int b = blockIdx.x % ${all} / ${heads}, h = blockIdx.x % ${heads};
  const int first = (${tile}) * ${rows}, mine = first + warp * ${16 * groups};
  const long long token = (long long)b * ${length}, line = (long long)(b * ${heads} + h) * ${length};`
}

export const blocksOf = ({ batch, heads, length }: AttentionShape, { rows }: Layout): number =>
  Math.ceil(length / rows) * batch * heads

/** C of the tiles of columns that the block's rows see or are seen by: from `begin` up to `end`. */
export function rangeText({ length, causal, window }: AttentionShape, { rows, columns }: Layout, side: Side): string {
  const tiles = Math.ceil(length / columns)
  const last = `(first + ${rows - 1})`
  const [from, to] =
    side === 'queries'
      ? [window && `first - ${window - 1}`, causal && last]
      : [causal && 'first', window && `${last} + ${window - 1}`]
  const begin = from ? `${from} > 0 ? (${from}) / ${columns} : 0` : '0'
  const end = to ? `(${to}) / ${columns} < ${tiles} ? (${to}) / ${columns} + 1 : ${tiles}` : String(tiles)
  return `
  const int begin = ${begin}, end = ${end};`
}

/** C of whether none of the warp's rows has to do with the tile of columns that begins at \`at\`. */
export function idleText({ causal, window }: AttentionShape, { groups, columns }: Layout, side: Side): string {
  const [lastRow, lastColumn] = [`(mine + ${16 * groups - 1})`, `(at + ${columns - 1})`]
  const [lastQuery, query, lastKey, key] =
    side === 'queries' ? [lastRow, 'mine', lastColumn, 'at'] : [lastColumn, 'at', lastRow, 'mine']
  const tests = [
    ...(causal ? [`${key} > ${lastQuery}`] : []),
    ...(window ? [`${query} - ${lastKey} >= ${window}`] : []),
  ]
  return tests.join(' || ') || 'false'
}

/** C that adds the mask to the scores, over the scale, and makes −∞ of those of keys that are not there to be seen. */
export function hideText(shape: AttentionShape, layout: Layout, side: Side): string {
  const { causal, window, length, mask, scale } = shape
  const { groups, columns } = layout
  const [lastRow, lastColumn] = [`mine + ${16 * groups - 1}`, `at + ${columns - 1}`]
  const [lastQuery, query, lastKey, key] =
    side === 'queries' ? [lastRow, 'mine', lastColumn, 'at'] : [lastColumn, 'at', lastRow, 'mine']
  const ends = !causal && side === 'queries' && length % columns !== 0
  const edges = [
    ...(causal ? [`${lastKey} > ${query}`] : []),
    ...(window ? [`${lastQuery} - (${key}) >= ${window}`] : []),
    ...(ends ? [`${lastKey} >= ${length}`] : []),
  ]
  const hidden = [
    ...(causal ? ['key > query'] : []),
    ...(window ? [`query - key >= ${window}`] : []),
    ...(ends ? [`key >= ${length}`] : []),
  ]
  if (!mask && edges.length === 0) return ''
  const [row, column] = side === 'queries' ? ['query', 'key'] : ['key', 'query']
  return `
    ${mask ? '' : `if (${edges.join(' || ')})`} {
#pragma unroll
      for (int m = 0; m < ${groups}; ++m)
#pragma unroll
        for (int n = 0; n < ${columns / 8}; ++n)
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            const int ${row} = mine + 16 * m + e / 2 * 8 + lane / 4, ${column} = at + 8 * n + lane % 4 * 2 + e % 2;
            float& score = scores[m][n][e];${mask ? addText(length, scale, mask) : ''}
            ${hidden.length > 0 ? `if (${hidden.join(' || ')}) score = ${MINUS_INFINITY};` : ''}
          }
    }`
}

/** Scores that are not seen are equal, whatever they were. */
function addText(length: number, scale: number, mask: NonNullable<AttentionShape['mask']>): string {
  return `
            {
              typedef int Index;
              const int i = query < ${length} ? query : ${length - 1}, j = key < ${length} ? key : ${length - 1};
              ${mask.lines.join('\n              ')}
              const float added = ${mask.value};
              score = added < ${HOPELESS} ? added * ${float(1 / scale)} : score + added * ${float(1 / scale)};
            }`
}

/** C of the power of 2 that a score's share is, from its row's log-sum; \`even\` is of a row that sees no key. */
export function shareText({ mask, scale }: AttentionShape, score: string, logSum: string, even: string): string {
  const seen = `fmaf(${score}, ${float(scale * LOG2_E)}, -${logSum} * ${float(LOG2_E)})`
  if (!mask) return seen
  const flat = `(${score} == ${MINUS_INFINITY} ? ${score} : ${even})`
  return `(${logSum} < ${HOPELESS} ? ${flat} : ${seen})`
}

/** C of the power of 2 that each share of a query is which sees no key: they are as many as `causal` and `window` leave. */
export function evenText({ causal, window, length }: AttentionShape, query: string): string {
  if (!causal) return float(-Math.log2(length))
  const seen = `(${query} + 1)`
  return `-log2f((float)${window ? `(${seen} < ${window} ? ${seen} : ${window})` : seen})`
}
