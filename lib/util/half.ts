/**
 * IEEE 754 binary16 (and bfloat16) to and from float32, exact in both directions: subnormals, infinities and the
 * payloads of NaN are kept; float32 to half rounds to nearest, ties to even. The hosts that Node runs on are
 * little-endian.
 */

/** Every half as the bits of its float32: 256 KiB, made once. */
let table: Uint32Array | undefined

/** Halves to float32, into `out` when given (at least as long). */
export function fromHalf(bits: Uint16Array, out = new Float32Array(bits.length)): Float32Array {
  table ??= Uint32Array.from({ length: 65536 }, (_, half) => widen(half))
  // as integers: a signalling NaN that passes through a double may be changed
  const wide = new Uint32Array(out.buffer, out.byteOffset, out.length)
  for (let i = 0; i < bits.length; i++) wide[i] = table[bits[i]!]!
  return out
}

/** float32 to the nearest half, ties to even; beyond 65,519.99 infinity. Into `out` when given (at least as long). */
export function toHalf(values: Float32Array, out = new Uint16Array(values.length)): Uint16Array {
  const wide = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < wide.length; i++) out[i] = narrow(wide[i]!)
  return out
}

/** bfloat16 to float32: the upper half of its bits. */
export function fromBfloat16(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length)
  const wide = new Uint32Array(out.buffer)
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i]! << 16
  return out
}

function widen(half: number): number {
  const sign = (half & 0x8000) << 16
  const exponent = (half >>> 10) & 31
  const mantissa = half & 1023
  if (exponent === 31) return (sign | 0x7f800000 | (mantissa << 13)) >>> 0
  if (exponent !== 0) return (sign | ((exponent + 112) << 23) | (mantissa << 13)) >>> 0
  if (mantissa === 0) return sign >>> 0
  // subnormal: mantissa · 2⁻²⁴, normalised by shifting its leading one up to bit 10
  const shift = Math.clz32(mantissa) - 21
  return (sign | ((113 - shift) << 23) | (((mantissa << shift) & 1023) << 13)) >>> 0
}

function narrow(wide: number): number {
  const sign = (wide >>> 16) & 0x8000
  const size = wide & 0x7fffffff
  if (size > 0x7f800000) return sign | 0x7c00 | ((size >>> 13) & 1023 || 512) // NaN: its payload, never empty
  if (size >= 0x477ff000) return sign | 0x7c00 // 65,520 and above round to infinity
  if (size >= 0x38800000) return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13)
  if (size <= 0x33000000) return sign // 2⁻²⁵ is a tie with zero, which is even
  const shift = 126 - (size >>> 23)
  const mantissa = (size & 0x7fffff) | 0x800000
  const kept = mantissa >>> shift
  const rest = mantissa & ((1 << shift) - 1)
  const tie = 1 << (shift - 1)
  return sign | (rest > tie || (rest === tie && (kept & 1) === 1) ? kept + 1 : kept)
}
