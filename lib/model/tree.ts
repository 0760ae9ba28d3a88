import type { Item } from '../data/tasks.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { TensorValue } from '../engine/engine.ts'
import { Failure } from '../util/failure.ts'
import type { Scored } from './likelihood.ts'

/** A context and its endings in one row: each ending sees the context and itself, and starts at the same position. */
export interface Tree {
  readonly tokens: readonly number[]
  readonly positions: readonly number[]
  /** 0 the context, n the n-th ending. */
  readonly segments: readonly number[]
  /** The tokens of all endings, one ending after another; `source` is a column of this row. */
  readonly scored: readonly Scored[]
  /** Tokens of each ending. */
  readonly lengths: readonly number[]
  /** Tokens of the context that did not fit the position table: its first ones. */
  readonly cut: number
}

/**
 * The plain convention of HellaSwag: the context verbatim, " " and the ending encoded apart from it. The last token of
 * an ending predicts nothing and is left out of the row. Throws Failure ITEM_EMPTY, ITEM_TOO_LONG.
 */
export function treeOf(tokenizer: Tokenizer, item: Item, positions: number): Tree {
  const whole = tokenizer.encode(item.context)
  const endings = item.endings.map((ending) => tokenizer.encode(` ${ending}`))
  const longest = Math.max(...endings.map((ending) => ending.length))
  if (whole.length === 0 || endings.some((ending) => ending.length === 0)) {
    throw new Failure('ITEM_EMPTY', `Item ${item.index} has a context or an ending without any token.`)
  }
  if (longest > positions) {
    const message = `Item ${item.index} has an ending of ${longest} tokens; the model's position table has ${positions}.`
    throw new Failure('ITEM_TOO_LONG', message)
  }
  const context = whole.slice(-(positions - longest + 1))
  return { ...plant(context, endings), cut: whole.length - context.length }
}

function plant(context: readonly number[], endings: readonly (readonly number[])[]): Omit<Tree, 'cut'> {
  const tokens = [...context]
  const positions = context.map((_, i) => i)
  const segments = context.map(() => 0)
  const scored: Scored[] = []
  endings.forEach((ending, n) => {
    const start = tokens.length
    ending.forEach((label, i) => {
      scored.push({ source: i === 0 ? context.length - 1 : start + i - 1, label })
      if (i === ending.length - 1) return
      tokens.push(label)
      positions.push(context.length + i)
      segments.push(n + 1)
    })
  })
  return { tokens, positions, segments, scored, lengths: endings.map((ending) => ending.length) }
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
