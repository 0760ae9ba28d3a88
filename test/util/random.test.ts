import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../lib/util/random.ts'

const take = (random: Random, count: number) => Array.from({ length: count }, () => random.integer())

test('a seed gives the same numbers for ever; another seed or stream gives others', () => {
  assert.deepEqual(take(new Random(1), 4), take(new Random(1), 4))
  assert.notDeepEqual(take(new Random(1), 4), take(new Random(2), 4))
  assert.notDeepEqual(take(new Random(1), 4), take(new Random(1, 'wte'), 4))
  assert.notDeepEqual(take(new Random(1), 4), take(new Random(1 + 2 ** 32), 4))
})

test('a restored state goes on where it stopped', () => {
  const random = new Random(7)
  take(random, 5)
  const state = random.state
  const rest = take(random, 5)
  random.restore(state)
  assert.deepEqual(take(random, 5), rest)
})

test('uniform, normal and below have the moments that they should', () => {
  const random = new Random(3)
  const count = 50_000
  let uniform = 0
  let normal = 0
  let square = 0
  const faces = new Array<number>(6).fill(0)
  for (let i = 0; i < count; i++) {
    uniform += random.uniform()
    const z = random.normal()
    normal += z
    square += z * z
    faces[random.below(6)]! += 1
  }
  assert.ok(Math.abs(uniform / count - 0.5) < 0.006)
  assert.ok(Math.abs(normal / count) < 0.02)
  assert.ok(Math.abs(square / count - 1) < 0.03)
  for (const face of faces) assert.ok(Math.abs(face - count / 6) < 400)
})

test('a shuffle is a permutation', () => {
  const all = [1, 2, 3, 4, 5, 6]
  const shuffled = new Random(5).shuffle(all)
  assert.deepEqual([...shuffled].sort(), all)
  assert.notDeepEqual(shuffled, all)
})
