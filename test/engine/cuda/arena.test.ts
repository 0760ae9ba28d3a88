import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { arena } from '../../../lib/engine/cuda/arena.ts'
import type { Lifetime } from '../../../lib/engine/cuda/arena.ts'
import { Random } from '../../../lib/util/random.ts'

describe('arena', () => {
  it('lets nothing lie where something else is alive, and is no larger than all together', () => {
    const random = new Random(1, 'arena')
    for (let round = 0; round < 200; round++) {
      const lifetimes = Array.from({ length: 1 + random.below(40) }, (): Lifetime => {
        const first = random.below(30) - 1
        return { bytes: 1 + random.below(5000), first, last: first + random.below(8) }
      })
      const { bytes, offsets } = arena(lifetimes)
      const ends = lifetimes.map((one, i) => offsets[i]! + one.bytes)
      assert.ok(ends.every((end) => end <= bytes))
      assert.ok(offsets.every((offset) => offset % 256 === 0))
      assert.ok(bytes <= lifetimes.reduce((sum, one) => sum + Math.ceil(one.bytes / 256) * 256, 0))
      lifetimes.forEach((a, i) => {
        lifetimes.forEach((b, j) => {
          const together = i !== j && a.first <= b.last && b.first <= a.last
          assert.ok(!together || ends[i]! <= offsets[j]! || ends[j]! <= offsets[i]!, `${i} and ${j} of round ${round}`)
        })
      })
    }
  })

  it('takes the same place for what is not alive at once', () => {
    const chain = Array.from({ length: 50 }, (_, i) => ({ bytes: 1000, first: i, last: i + 1 }))
    assert.equal(arena(chain).bytes, 2 * 1024)
  })

  it('is empty for nothing', () => {
    assert.deepEqual(arena([]), { bytes: 0, offsets: [] })
  })
})
