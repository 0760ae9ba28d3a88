import type { TensorValue } from '../engine/engine.ts'
import type { Scored } from './likelihood.ts'
import type { Pair } from './pairs.ts'

/** A context and its endings in one row: each ending sees the context and itself, and starts at the same position. */
export interface Tree {
  readonly tokens: readonly number[]
  readonly positions: readonly number[]
  /** 0 the context, n the n-th ending. */
  readonly segments: readonly number[]
  /** The tokens of all endings, one ending after another; `source` is a column of this row. */
  readonly scored: readonly Scored[]
  /** Whose endings they are, one after another: indices into the pairs. */
  readonly members: readonly number[]
}

/** Rows of the pairs, those of the same context in one. The last token of an ending predicts nothing and is left out. */
export function treesOf(pairs: readonly Pair[]): Tree[] {
  const byContext = new Map<string, number[]>()
  pairs.forEach(({ context }, n) => {
    const key = context.join()
    byContext.set(key, [...(byContext.get(key) ?? []), n])
  })
  return [...byContext.values()].map((members) => plant(pairs, members))
}

function plant(pairs: readonly Pair[], members: readonly number[]): Tree {
  const { context } = pairs[members[0]!]!
  const tokens = [...context]
  const positions = context.map((_, i) => i)
  const segments = context.map(() => 0)
  const scored: Scored[] = []
  members.forEach((member, n) => {
    const start = tokens.length
    const { ending } = pairs[member]!
    ending.forEach((label, i) => {
      scored.push({ source: i === 0 ? context.length - 1 : start + i - 1, label })
      if (i === ending.length - 1) return
      tokens.push(label)
      positions.push(context.length + i)
      segments.push(n + 1)
    })
  })
  return { tokens, positions, segments, scored, members }
}

/** What a program is fed with for some rows, and where in them (row · T + column) are the scored tokens, tree by tree. */
export interface Laid {
  readonly feeds: Readonly<Record<string, TensorValue>>
  readonly scored: readonly Scored[]
}

/** Rows of length T, `count` of them: trees one after another, unseen by their neighbours; padding is seen by nobody. */
export function layOut(rows: readonly (readonly Tree[])[], count: number, T: number): Laid {
  const fill = (padding: number): TensorValue => {
    return { shape: [count, T], data: new Int32Array(count * T).fill(padding) }
  }
  const feeds = { tokens: fill(0), positions: fill(0), segments: fill(-1), documents: fill(-1) }
  const scored: Scored[] = []
  rows.forEach((trees, row) => {
    let at = row * T
    trees.forEach((tree, document) => {
      for (const name of ['tokens', 'positions', 'segments'] as const) feeds[name].data.set(tree[name], at)
      feeds.documents.data.fill(document, at, at + tree.tokens.length)
      for (const { source, label } of tree.scored) scored.push({ source: at + source, label })
      at += tree.tokens.length
    })
  })
  return { feeds, scored }
}

/** Trees that one compiled program takes. */
export interface Bucket {
  /** Of a row: that of the longest tree. */
  readonly length: number
  /** Indices of the trees in each row. */
  readonly rows: readonly (readonly number[])[]
}

/** What another program costs, as tokens that it must save. */
const programCost = 2048

/**
 * The cut of trees, by their lengths, into buckets that costs least, for a model of this width: a token costs more in a
 * longer row, by 4·T·width for attention beside the 24·width² of all else, and a program is to be made for each bucket.
 */
export function bucketsOf(lengths: readonly number[], width: number): Bucket[] {
  const sorted = lengths.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b)
  const tokens = [0] // of so many trees, the shortest ones
  for (const index of sorted) tokens.push(tokens.at(-1)! + lengths[index]!)
  const ends = sorted.flatMap((at, i) => (lengths[sorted[i + 1] ?? -1] === lengths[at] ? [] : [i + 1]))
  const best = [{ cost: 0, from: 0 }] // by number of ends taken
  ends.forEach((end, e) => {
    const each = 1 + lengths[sorted[end - 1]!]! / (6 * width)
    const choices = [0, ...ends.slice(0, e)].map((start, s) => {
      return { cost: best[s]!.cost + programCost + (tokens[end]! - tokens[start]!) * each, from: s }
    })
    best.push(choices.reduce((least, one) => (one.cost < least.cost ? one : least)))
  })
  const buckets: Bucket[] = []
  for (let e = ends.length; e > 0; e = best[e]!.from) {
    const members = sorted.slice(best[e]!.from === 0 ? 0 : ends[best[e]!.from - 1], ends[e - 1])
    const length = lengths[members.at(-1)!]!
    buckets.unshift({ length, rows: packed(members.reverse(), lengths, length) })
  }
  return buckets
}

/** The longest first, each into the fullest row that has room for it: best-fit decreasing. */
function packed(members: readonly number[], lengths: readonly number[], length: number): number[][] {
  const rows: { free: number; readonly trees: number[] }[] = []
  for (const index of members) {
    const size = lengths[index]!
    let row: (typeof rows)[number] | undefined
    for (const one of rows) if (one.free >= size && !(row && row.free <= one.free)) row = one
    if (!row) rows.push((row = { free: length, trees: [] }))
    row.trees.push(index)
    row.free -= size
  }
  return rows.map(({ trees }) => trees)
}
