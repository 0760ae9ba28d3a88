import type { Likelihoods } from './likelihood.ts'

/** Likelihoods of scored tokens, one after another, as an engine gives them. */
export interface TokenScores {
  readonly logProbs: Float32Array
  /** None where they were not asked for, as with `highest`. */
  readonly likeliest: Int32Array
  readonly highest: Float32Array
}

/** An engine may use its own again. */
export const copyOf = ({ logProbs, likeliest, highest }: Likelihoods): TokenScores => ({
  logProbs: Float32Array.from(logProbs),
  likeliest: Int32Array.from(likeliest),
  highest: Float32Array.from(highest),
})

export const joinScores = (parts: readonly Likelihoods[]): TokenScores => ({
  logProbs: joined(
    Float32Array,
    parts.map(({ logProbs }) => logProbs),
  ),
  likeliest: joined(
    Int32Array,
    parts.map(({ likeliest }) => likeliest),
  ),
  highest: joined(
    Float32Array,
    parts.map(({ highest }) => highest),
  ),
})

function joined<T extends Float32Array | Int32Array>(
  kind: new (length: number) => T,
  parts: readonly ArrayLike<number>[],
): T {
  const all = new kind(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** As JSON holds them, bit for bit. */
export type WrittenScores = Readonly<Record<keyof TokenScores, string>>

export const writtenScores = ({ logProbs, likeliest, highest }: TokenScores): WrittenScores => ({
  logProbs: base64(logProbs),
  likeliest: base64(likeliest),
  highest: base64(highest),
})

export const readScores = ({ logProbs, likeliest, highest }: WrittenScores): TokenScores => ({
  logProbs: new Float32Array(bytesOf(logProbs)),
  likeliest: new Int32Array(bytesOf(likeliest)),
  highest: new Float32Array(bytesOf(highest)),
})

const base64 = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64')

const bytesOf = (text: string): ArrayBuffer => new Uint8Array(Buffer.from(text, 'base64')).buffer
