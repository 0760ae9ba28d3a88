import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { Transform } from 'node:stream'
import type { TransformCallback } from 'node:stream'
import type { Digest } from '../canonical.ts'
import { CHUNK, largeDigest } from '../digest.ts'

/** What a file in a result has to be. */
export interface Expected {
  readonly size: number
  readonly sha256: Digest
}

/** Passes bytes on, and fails at their end where they are not the expected ones. */
export class Checked extends Transform {
  readonly #expected: Expected
  readonly #wrong: (found: string) => Error
  readonly #chunks: Digest[] = []
  #hash: Hash = createHash('sha256')
  #inChunk = 0
  #size = 0

  constructor(expected: Expected, wrong: (found: string) => Error) {
    super()
    this.#expected = expected
    this.#wrong = wrong
  }

  override _transform(bytes: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#size += bytes.length
    if (this.#size > this.#expected.size) {
      done(this.#wrong(`more than ${this.#expected.size} bytes`))
      return
    }
    for (let at = 0; at < bytes.length;) {
      // the digest of a large file is that of its chunks', see digest.ts
      if (this.#inChunk === CHUNK) this.#endChunk()
      const part = bytes.subarray(at, at + CHUNK - this.#inChunk)
      this.#hash.update(part)
      this.#inChunk += part.length
      at += part.length
    }
    done(null, bytes)
  }

  override _flush(done: TransformCallback): void {
    const { size, sha256 } = this.#expected
    this.#endChunk()
    const digest = this.#size > CHUNK ? largeDigest(this.#size, this.#chunks) : this.#chunks[0]
    if (this.#size !== size) done(this.#wrong(`${this.#size} bytes, not ${size}`))
    else if (digest !== sha256) done(this.#wrong(`content of digest ${digest!}`))
    else done()
  }

  #endChunk(): void {
    this.#chunks.push(this.#hash.digest('hex') as Digest)
    this.#hash = createHash('sha256')
    this.#inChunk = 0
  }
}
