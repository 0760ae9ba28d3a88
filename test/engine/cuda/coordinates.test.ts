import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runInNewContext } from 'node:vm'
import { flatten, keyOf, never, plus, textOf, unflatten, whole, zero } from '../../../lib/engine/cuda/coordinates.ts'
import type { Coordinate } from '../../../lib/engine/cuda/coordinates.ts'
import { Random } from '../../../lib/util/random.ts'

const r = (size: number): Coordinate => whole({ name: 'r', size, depth: 0 })

/** The text as C computes it: all are whole numbers from 0 on. */
function valueOf(coordinate: Coordinate, place: number): number {
  const text = textOf(coordinate).replace(/r \/ (\d+)/g, 'Math.floor(r / $1)')
  return runInNewContext(text, { r: place }) as number
}

describe('coordinates', () => {
  it('are the digits of a place', () => {
    const at = unflatten(r(24), [2, 3, 4], never)
    assert.deepEqual(at.map(textOf), ['(r / 12)', '(r / 4 % 3)', '(r % 4)'])
  })

  it('join to the place that they were taken from, also by way of another shape', () => {
    assert.equal(textOf(flatten(unflatten(r(24), [2, 3, 4], never), [2, 3, 4])), 'r')
    const six = unflatten(flatten(unflatten(r(24), [4, 6], never), [4, 6]), [2, 2, 3, 2], never)
    assert.equal(keyOf(flatten(six, [2, 2, 3, 2])), keyOf(r(24)))
  })

  it('take a start and lengths of 1', () => {
    const at = unflatten(r(6), [1, 2, 3], never)
    assert.equal(textOf(flatten([zero, plus(at[1]!, 4), at[2]!], [1, 9, 3])), 'r + 12')
  })

  it('ask for help where digits cannot be cut', () => {
    assert.throws(() => unflatten(plus(r(6), 1), [2, 3], never), /does not come apart/)
  })

  it('mean what they say, transposed and reshaped at random', () => {
    const random = new Random(2, 'coordinates')
    const shape = [2, 3, 4, 5]
    for (let round = 0; round < 50; round++) {
      const perm = [0, 1, 2, 3].sort(() => random.uniform() - 0.5)
      const turned = perm.map((axis) => shape[axis]!)
      const at = unflatten(r(120), turned, never)
      const source = flatten(
        shape.map((_, axis) => at[perm.indexOf(axis)]!),
        shape,
      )
      for (const place of [0, 1, 17, 63, 119]) {
        const index = turned.map((length, axis) => {
          const stride = turned.slice(axis + 1).reduce((a, b) => a * b, 1)
          return Math.floor(place / stride) % length
        })
        const expected = shape.reduce((sum, length, axis) => sum * length + index[perm.indexOf(axis)]!, 0)
        assert.equal(valueOf(source, place), expected, `${perm.join()} at ${place}: ${textOf(source)}`)
      }
    }
  })
})
