import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gridOf, tile } from '../../lib/pipeline/shards/tiling.ts'
import type { UnitRange } from '../../lib/util/unit-range.ts'

/** A generator of its own seed: a failure comes again. */
function drawer(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const isTiling = (ranges: readonly UnitRange[], units: number): boolean =>
  ranges.length > 0 &&
  ranges[0]!.from === 0 &&
  ranges.at(-1)!.to === units &&
  ranges.every(({ from, to }, n) => from < to && from === (ranges[n - 1]?.to ?? 0))

const text = (ranges: readonly (UnitRange & { readonly there?: boolean })[]): string =>
  ranges.map(({ from, to, there }) => `${from}-${to}${there === true ? '!' : ''}`).join(' ')

test('a grid tiles exactly, in parts that differ by one unit at most, whatever the numbers', () => {
  const draw = drawer(1)
  for (let n = 0; n < 2000; n++) {
    const [units, shards] = [1 + draw(5000), 1 + draw(300)]
    const grid = gridOf(units, shards)
    assert.ok(isTiling(grid, units), `${units} ${shards}`)
    assert.equal(grid.length, Math.min(units, shards))
    const sizes = grid.map(({ from, to }) => to - from)
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `${units} ${shards}`)
  }
})

test('a multiple cuts wherever its divisor does', () => {
  const draw = drawer(2)
  for (let n = 0; n < 500; n++) {
    const [shards, times] = [1 + draw(40), 1 + draw(10)]
    const units = shards * times + draw(5000)
    const fine = new Set(gridOf(units, shards * times).map(({ to }) => to))
    assert.ok(gridOf(units, shards).every(({ to }) => fine.has(to)))
  }
})

test('what is there is taken, and the fewest units are left, whatever there is', () => {
  const draw = drawer(3)
  for (let n = 0; n < 1000; n++) {
    const [units, shards] = [1 + draw(60), 1 + draw(20)]
    const there = Array.from({ length: draw(8) }, () => {
      const from = draw(units)
      return { from, to: from + 1 + draw(units - from) }
    })
    const tiles = tile(units, shards, there)
    assert.ok(isTiling(tiles, units), text(tiles))
    assert.ok(tiles.every((one) => !one.there || there.some(({ from, to }) => from === one.from && to === one.to)))
    const grid = gridOf(units, shards)
    const inGrid = ({ from, to }: UnitRange): boolean => grid.some((cell) => cell.from <= from && to <= cell.to)
    assert.ok(tiles.every((one) => one.there || inGrid(one)))
    const left = tiles.reduce((sum, { from, to, there: is }) => sum + (is ? 0 : to - from), 0)
    assert.equal(left, units - mostCovered(units, there), text(tiles))
  }
})

/** The most units that ranges cover of which no two overlap, by trying. */
function mostCovered(units: number, there: readonly UnitRange[]): number {
  const best = [0]
  for (let to = 1; to <= units; to++) {
    const ending = there.filter((range) => range.to === to).map((range) => best[range.from]! + to - range.from)
    best.push(Math.max(best[to - 1]!, ...ending))
  }
  return best[units]!
}

test('finer and coarser tilings are taken whole; a gap is cut by the grid alone', () => {
  const there = gridOf(12, 4)
  assert.equal(text(tile(12, 12, there)), '0-3! 3-6! 6-9! 9-12!')
  assert.equal(text(tile(12, 2, there)), '0-3! 3-6! 6-9! 9-12!')
  for (const all of [
    [{ from: 0, to: 12 }, ...there],
    [...there, { from: 0, to: 12 }],
  ])
    assert.equal(text(tile(12, 4, all)), '0-12!')
  assert.equal(text(tile(12, 2, [{ from: 3, to: 5 }])), '0-3 3-5! 5-6 6-12')
  // of two that overlap the larger; where the other begins is no cut
  assert.equal(
    text(
      tile(12, 1, [
        { from: 2, to: 8 },
        { from: 7, to: 10 },
      ]),
    ),
    '0-2 2-8! 8-12',
  )
})

test('10,000 parts are cut at once', () => {
  const started = performance.now()
  const there = gridOf(1_000_000, 5000)
  assert.equal(tile(1_000_000, 10_000, there).length, 5000)
  assert.ok(performance.now() - started < 2000)
})
