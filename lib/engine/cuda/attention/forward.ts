import { LOG2_E, checkShape, float, isHeld, layoutOf, pitchOf, readType, writtenType } from './shape.ts'
import type { AttentionKernel, AttentionShape, Layout, Tiling } from './shape.ts'
import { blocksOf, hideText, idleText, placeText, rangeText } from './sight.ts'

/**
 * o and the natural log-sums of the scores: a block for each tile of queries, which goes over the keys with a running
 * maximum (Dao 2023, FlashAttention-2, arXiv:2307.08691, algorithm 1). Tiles of keys arrive while those before are used.
 */
export function writeForward(shape: AttentionShape, { queries, keys, warps }: Tiling): AttentionKernel {
  checkShape(shape)
  const layout = layoutOf(shape, queries, keys, warps)
  const { rows, columns, threads, rowBytes } = layout
  const first = shape.mask?.declarations ?? []
  const [o, logSum, q, k, v] = [0, 1, 2, 3, 4].map((n) => `p${first.length + n}`) as [
    string,
    string,
    string,
    string,
    string,
  ]
  const declarations = [
    ...first,
    ...[`${writtenType(shape)} ${o}`, `float* ${logSum}`],
    ...[q, k, v].map((name) => `${readType(shape)} ${name}`),
  ]
  const text = `extern "C" __global__ void __launch_bounds__(${threads}) NAME(${declarations.join(', ')}) {
  DYNAMIC_SHARED(shared);${placeText(shape, layout, 'queries')}${rangeText(shape, layout, 'queries')}
${loadText(shape, layout, { q, k, v })}
  float sums[${layout.groups}][${shape.width / 8}][4], most[${layout.groups}][2], totals[${layout.groups}][2];
  tiles::clear(sums);
#pragma unroll
  for (int m = 0; m < ${layout.groups}; ++m)
#pragma unroll
    for (int r = 0; r < 2; ++r) most[m][r] = -1e30f, totals[m][r] = 0.0f;
${loopText(shape, layout)}
${storeText(shape, layout, o, logSum)}
}`
  const shared = (rows + 4 * columns) * rowBytes
  return {
    text,
    tensors: ['o', 'logSum', 'q', 'k', 'v'],
    grid: { blocks: [blocksOf(shape, layout), 1, 1], threads, shared },
  }
}

function loadText(shape: AttentionShape, layout: Layout, { q, k, v }: Record<'q' | 'k' | 'v', string>): string {
  const { width, length } = shape
  const { rows, columns, chunks, threads, groups, rowBytes, steps } = layout
  const pitches = { q: pitchOf(shape, 'q'), k: pitchOf(shape, 'k'), v: pitchOf(shape, 'v') }
  const from = (p: string, name: 'q' | 'k' | 'v', start: string): string =>
    `${p} + (token + ${start}) * ${pitches[name]} + h * ${width}`
  const copy = (count: number, name: 'q' | 'k' | 'v'): string =>
    `tiles::copyTile<${count}, ${width}, ${chunks}, ${threads}, ${pitches[name]}>`
  const held = `
  tiles::waitForCopies();
  __syncthreads();
  unsigned held[${steps}][${groups}][4];
#pragma unroll
  for (int k = 0; k < ${steps}; ++k) tiles::loadOperand<${groups}, ${chunks}>(held[k], queries, warp * ${16 * groups}, k);`
  return `
  const tiles::Shared queries = tiles::sharedAddress(shared), stages = queries + ${rows * rowBytes};
  const auto copyKeys = [&](int tile) {
    const int at = tile * ${columns};
    const tiles::Shared to = stages + (tile - begin) % 2 * ${2 * columns * rowBytes};
    ${copy(columns, 'k')}(to, ${from(k, 'k', 'at')}, ${length} - at);
    ${copy(columns, 'v')}(to + ${columns * rowBytes}, ${from(v, 'v', 'at')}, ${length} - at);
  };
  ${copy(rows, 'q')}(queries, ${from(q, 'q', 'first')}, ${length} - first);
  copyKeys(begin);${isHeld(shape, layout, 1) ? held : ''}`
}

function loopText(shape: AttentionShape, layout: Layout): string {
  const { columns, rowBytes, groups, chunks } = layout
  const { width } = shape
  const form = `<${groups}, ${columns}, ${width}, ${chunks}>`
  const operand = isHeld(shape, layout, 1) ? 'held' : `queries, warp * ${16 * groups}`
  return `
  for (int tile = begin; tile < end; ++tile) {
    tiles::waitForCopies();
    __syncthreads(); // this tile is there, and nobody reads the one before any longer
    if (tile + 1 < end) copyKeys(tile + 1);
    const int at = tile * ${columns};
    const tiles::Shared keys = stages + (tile - begin) % 2 * ${2 * columns * rowBytes};
    if (${idleText(shape, layout, 'queries')}) continue;
    float scores[${groups}][${columns / 8}][4];
    tiles::clear(scores);
    tiles::multiplyRows${form}(scores, ${operand}, keys);${hideText(shape, layout, 'queries')}${softmaxText(shape, layout)}
    tiles::multiplyColumns${form}(sums, scores, keys + ${columns * rowBytes});
  }`
}

/** Scores become shares of the maximum so far, and what was summed up by another one is scaled. */
function softmaxText({ scale, width, mask }: AttentionShape, { groups, columns }: Layout): string {
  const factor = float(scale * LOG2_E)
  // a maximum of −1e9 times the factor is rounded by more than all scores are apart
  const power = mask ? `(score - now) * ${factor}` : `fmaf(score, ${factor}, -shift)`
  return `
#pragma unroll
    for (int m = 0; m < ${groups}; ++m)
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        float now = most[m][r];
#pragma unroll
        for (int n = 0; n < ${columns / 8}; ++n) now = fmaxf(now, fmaxf(scores[m][n][2 * r], scores[m][n][2 * r + 1]));
        now = fmaxf(now, __shfl_xor_sync(0xffffffffu, now, 1));
        now = fmaxf(now, __shfl_xor_sync(0xffffffffu, now, 2));
        const float kept = tiles::powerOf2((most[m][r] - now) * ${factor}), shift = now * ${factor};
        float total = 0.0f;
#pragma unroll
        for (int n = 0; n < ${columns / 8}; ++n)
#pragma unroll
          for (int e = 2 * r; e < 2 * r + 2; ++e) {
            const float score = scores[m][n][e];
            scores[m][n][e] = tiles::powerOf2(${power});
            total += scores[m][n][e];
          }
        most[m][r] = now;
        totals[m][r] = totals[m][r] * kept + total;
#pragma unroll
        for (int n = 0; n < ${width / 8}; ++n)
#pragma unroll
          for (int e = 2 * r; e < 2 * r + 2; ++e) sums[m][n][e] *= kept;
      }`
}

function storeText(shape: AttentionShape, layout: Layout, o: string, logSum: string): string {
  const { length, width, scale } = shape
  const { groups, chunks, rowBytes } = layout
  const pitch = pitchOf(shape, 'o')
  return `
#pragma unroll
  for (int m = 0; m < ${groups}; ++m)
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float total = totals[m][r];
      total += __shfl_xor_sync(0xffffffffu, total, 1);
      total += __shfl_xor_sync(0xffffffffu, total, 2);
      const int query = mine + 16 * m + 8 * r + lane / 4;
      if (lane % 4 == 0 && query < ${length}) ${logSum}[line + query] = most[m][r] * ${float(scale)} + logf(total);
      const float share = 1.0f / total;
#pragma unroll
      for (int n = 0; n < ${width / 8}; ++n)
#pragma unroll
        for (int e = 2 * r; e < 2 * r + 2; ++e) sums[m][n][e] *= share;
    }
  tiles::storeRows<${groups}, ${width}, ${chunks}, ${pitch}>(${o} + (token + mine) * ${pitch} + h * ${width}, shared + warp * ${16 * groups * rowBytes}, sums, 1.0f, ${length} - mine);`
}
