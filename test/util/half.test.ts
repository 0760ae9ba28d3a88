import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fromBfloat16, fromHalf, toHalf } from '../../lib/util/half.ts'

const all = Uint16Array.from({ length: 65536 }, (_, half) => half)
const bitsOf = (values: Float32Array) => new Uint32Array(values.buffer)
const half = (value: number) => toHalf(Float32Array.of(value))[0]!

describe('half precision', () => {
  it('is exact for every half, by the definition of the format', () => {
    const values = fromHalf(all)
    for (const bits of all) {
      const exponent = (bits >> 10) & 31
      const mantissa = bits & 1023
      const size = exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15)
      const expected = exponent < 31 ? size : mantissa === 0 ? Infinity : NaN
      assert.ok(Object.is(values[bits], bits >> 15 ? -expected : expected), `half ${bits.toString(16)}`)
    }
  })

  it('gives every half back, subnormals, signed zero, infinities and NaN with its payload', () => {
    assert.deepEqual(toHalf(fromHalf(all)), all)
  })

  it('rounds to the nearest, ties to even, between every two neighbours', () => {
    const values = fromHalf(all)
    for (let low = 0; low < 0x7bff; low++) {
      const middle = Math.fround((values[low]! + values[low + 1]!) / 2) // exact: float32 has 13 bits to spare
      const even = low % 2 === 0 ? low : low + 1
      const [below, above] = [nextFloat(middle, -1), nextFloat(middle, 1)]
      assert.deepEqual([half(below), half(middle), half(above)], [low, even, low + 1], `after half ${low}`)
      assert.deepEqual([half(-below), half(-middle)], [low | 0x8000, even | 0x8000])
    }
  })

  it('overflows to infinity from 65,520 on, and vanishes up to 2^-25', () => {
    assert.deepEqual(
      [half(nextFloat(65520, -1)), half(65520), half(3e38), half(-Infinity)],
      [0x7bff, 0x7c00, 0x7c00, 0xfc00],
    )
    assert.deepEqual([half(2 ** -25), half(nextFloat(2 ** -25, 1)), half(1e-45), half(-1e-45)], [0, 1, 0, 0x8000])
  })

  it('keeps a NaN whose payload lies in the bits that are cut off', () => {
    const quiet = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001).buffer)
    for (const bits of toHalf(quiet)) assert.ok((bits & 0x7fff) > 0x7c00, bits.toString(16))
  })

  it('works on part of a buffer and into a given one', () => {
    const values = Float32Array.of(9, 1, 2, 9).subarray(1, 3)
    const out = new Uint16Array(2)
    assert.equal(toHalf(values, out), out)
    assert.deepEqual(fromHalf(out, new Float32Array(3).subarray(1)), Float32Array.of(1, 2))
  })

  it('reads bfloat16 as the upper half of a float32', () => {
    const bits = Uint16Array.of(0x3f80, 0x8000, 0x0001, 0x7f80, 0x7fc1)
    assert.deepEqual(
      bitsOf(fromBfloat16(bits)),
      Uint32Array.from(bits, (one) => one * 65536),
    )
  })
})

/** The float32 next to a positive one. */
function nextFloat(value: number, step: 1 | -1): number {
  const bits = bitsOf(Float32Array.of(value))
  return new Float32Array(Uint32Array.of(bits[0]! + step).buffer)[0]!
}
