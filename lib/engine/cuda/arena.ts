/** From the first to the last call that touches it. */
export interface Lifetime {
  readonly bytes: number
  readonly first: number
  readonly last: number
}

export interface Arena {
  /** Of the whole, known before anything runs. */
  readonly bytes: number
  /** Where each lies, in the order given. */
  readonly offsets: readonly number[]
}

/** What an allocation of the device is aligned to, and a vector load needs. */
const alignment = 256

/**
 * One piece of memory for all: what is not alive at the same time may lie in the same place. The large ones are placed
 * first, each in the smallest gap that takes it.
 */
export function arena(lifetimes: readonly Lifetime[]): Arena {
  const sizes = lifetimes.map(({ bytes }) => Math.ceil(bytes / alignment) * alignment)
  const order = lifetimes
    .map((_, i) => i)
    .sort((a, b) => sizes[b]! - sizes[a]! || lifetimes[a]!.first - lifetimes[b]!.first)
  const offsets: number[] = lifetimes.map(() => 0)
  const placed: number[] = []
  for (const one of order) {
    const taken = placed.filter((other) => meet(lifetimes[one]!, lifetimes[other]!))
    offsets[one] = bestGap(
      taken.map((other) => ({ from: offsets[other]!, to: offsets[other]! + sizes[other]! })),
      sizes[one]!,
    )
    placed.push(one)
  }
  return { bytes: placed.reduce((most, one) => Math.max(most, offsets[one]! + sizes[one]!), 0), offsets }
}

const meet = (a: Lifetime, b: Lifetime): boolean => a.first <= b.last && b.first <= a.last

function bestGap(taken: readonly { readonly from: number; readonly to: number }[], size: number): number {
  let [end, best, least] = [0, -1, Infinity]
  for (const { from, to } of [...taken].sort((a, b) => a.from - b.from)) {
    const gap = from - end
    if (gap >= size && gap < least) [best, least] = [end, gap]
    end = Math.max(end, to)
  }
  return best >= 0 ? best : end
}
