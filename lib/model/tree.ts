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

/** Rows of length T, padded: padding is seen by nobody. */
export function treeFeeds(trees: readonly Tree[], rows: number, T: number): Record<string, TensorValue> {
  const fill = (of: (tree: Tree) => readonly number[], padding: number): TensorValue => {
    const data = new Int32Array(rows * T).fill(padding)
    trees.forEach((tree, row) => data.set(of(tree), row * T))
    return { shape: [rows, T], data }
  }
  return {
    tokens: fill((tree) => tree.tokens, 0),
    positions: fill((tree) => tree.positions, 0),
    segments: fill((tree) => tree.segments, -1),
  }
}

/** Rows that one compiled program takes. */
export interface Bucket {
  /** Indices into the lengths. */
  readonly members: readonly number[]
  /** Of the longest. */
  readonly length: number
}

/** What another program costs, as tokens of padding that it must save. */
const programCost = 2048

/** The cut of rows, sorted by length, into buckets that wastes least: padding to the longest, and a program a bucket. */
export function bucketsOf(lengths: readonly number[]): Bucket[] {
  const sorted = lengths.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b)
  const ends = sorted.flatMap((at, i) => (lengths[sorted[i + 1] ?? -1] === lengths[at] ? [] : [i + 1]))
  const best = [{ cost: 0, from: 0 }] // by number of ends taken
  ends.forEach((end, e) => {
    const choices = [0, ...ends.slice(0, e)].map((start, s) => ({
      cost: best[s]!.cost + programCost + (end - start) * lengths[sorted[end - 1]!]!,
      from: s,
    }))
    best.push(choices.reduce((least, one) => (one.cost < least.cost ? one : least)))
  })
  const buckets: Bucket[] = []
  for (let e = ends.length; e > 0; e = best[e]!.from) {
    const members = sorted.slice(best[e]!.from === 0 ? 0 : ends[best[e]!.from - 1], ends[e - 1])
    buckets.unshift({ members, length: lengths[members.at(-1)!]! })
  }
  return buckets
}
