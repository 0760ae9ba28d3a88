import type { UnitRange } from '../../util/unit-range.ts'

/** A part of the work: there already, or to be done. */
export interface Tile extends UnitRange {
  readonly there: boolean
}

/**
 * Cuts units into as many ranges, each of as many units, or of one more. A cut at i / N of the whole is one at 2i / 2N
 * too: where N is a multiple of another number, it cuts wherever that number does.
 */
export function gridOf(units: number, shards: number): UnitRange[] {
  const count = Math.min(shards, units)
  const cut = (index: number): number => Math.floor((index * units) / count)
  return Array.from({ length: count }, (_, index) => ({ from: cut(index), to: cut(index + 1) }))
}

/**
 * Tiles all units with what is there and ranges of the grid, cut where something begins or ends that is there: such that
 * the fewest units are left to do, by the fewest tiles.
 */
export function tile(units: number, shards: number, there: readonly UnitRange[]): Tile[] {
  const grid = gridOf(units, shards)
  const known = there.filter(({ from, to }) => 0 <= from && from < to && to <= units)
  const bounds = [...new Set([0, ...grid.map(({ to }) => to), ...known.flatMap(({ from, to }) => [from, to])])]
  bounds.sort((a, b) => a - b)
  return joined(cheapest(bounds, known), new Set(grid.map(({ from }) => from)))
}

interface Way {
  /** Units to do, and tiles. */
  readonly cost: readonly [units: number, tiles: number]
  readonly last: Tile | undefined
}

/** The shortest way from bound to bound, over what is there and over gaps. */
function cheapest(bounds: readonly number[], there: readonly UnitRange[]): Tile[] {
  const ends = new Map<number, UnitRange[]>()
  for (const range of there) ends.set(range.to, [...(ends.get(range.to) ?? []), range])
  const ways = new Map<number, Way>([[0, { cost: [0, 0], last: undefined }]])
  for (const [index, to] of bounds.entries()) {
    if (index === 0) continue
    const gap = { from: bounds[index - 1]!, to, there: false }
    const steps = [gap, ...(ends.get(to) ?? []).map((range) => ({ from: range.from, to, there: true }))]
    const choices = steps.map((last): Way => ({ cost: costOver(ways.get(last.from)!, last), last }))
    ways.set(to, choices.reduce(cheaper))
  }
  const tiles: Tile[] = []
  for (let way = ways.get(bounds.at(-1)!)!; way.last !== undefined; way = ways.get(way.last.from)!) tiles.push(way.last)
  return tiles.reverse()
}

const costOver = ({ cost: [units, tiles] }: Way, { from, to, there }: Tile): Way['cost'] => [
  units + (there ? 0 : to - from),
  tiles + 1,
]

const cheaper = (a: Way, b: Way): Way =>
  b.cost[0] < a.cost[0] || (b.cost[0] === a.cost[0] && b.cost[1] < a.cost[1]) ? b : a

/** Gaps side by side become one, but for the grid's own cuts. */
function joined(tiles: readonly Tile[], cuts: ReadonlySet<number>): Tile[] {
  const found: Tile[] = []
  for (const one of tiles) {
    const last = found.at(-1)
    if (last === undefined || last.there || one.there || cuts.has(one.from)) found.push(one)
    else found[found.length - 1] = { from: last.from, to: one.to, there: false }
  }
  return found
}
