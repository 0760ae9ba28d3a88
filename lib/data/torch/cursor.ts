import type { Failure } from '../../util/failure.ts'

/** Reads a pickle's bytes in order, numbers little-endian. Throws what `fail` makes of what is wrong. */
export class Cursor {
  readonly #bytes: Uint8Array
  readonly #fail: (what: string) => Failure
  #at = 0

  constructor(bytes: Uint8Array, fail: (what: string) => Failure) {
    this.#bytes = bytes
    this.#fail = fail
  }

  take(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length) throw this.#fail(`it ends at byte ${this.#bytes.length}, in the middle of a value`)
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  byte(): number {
    return this.take(1)[0]!
  }

  /** Unsigned, of at most six bytes. */
  count(width: number): number {
    return this.take(width).reduceRight((value, byte) => value * 256 + byte, 0)
  }

  /** Two's complement. */
  integer(width: number): number {
    const bits = this.take(width).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
    const value = Number(BigInt.asIntN(8 * width, bits))
    if (!Number.isSafeInteger(value)) throw this.#fail('it holds a number beyond 2⁵³')
    return value
  }

  text(length: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.take(length))
    } catch (error) {
      if (error instanceof TypeError) throw this.#fail('it holds a text that is not UTF-8')
      throw error
    }
  }

  /** Up to the next line feed, which is passed over. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    const line = this.text((end < 0 ? this.#bytes.length : end) - this.#at)
    this.take(1)
    return line
  }
}
