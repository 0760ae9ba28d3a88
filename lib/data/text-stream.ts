import type { Tokenizer } from './tokenizer.ts'

/** The text of tokens as they come; what one call gives follows what those before gave. */
export class TextStream {
  readonly #decode: Tokenizer['decode']
  readonly #ids: number[]
  #said = ''

  /** `ids` come before those that are added: their text comes with the first of these. */
  constructor(decode: Tokenizer['decode'], ids: readonly number[]) {
    this.#decode = decode
    this.#ids = [...ids]
  }

  /** What this token adds. Bytes that are no whole character yet, U+FFFD at the end, wait for those that follow. */
  add(id: number): string {
    this.#ids.push(id)
    return this.#after(this.#decode(this.#ids).replace(/\ufffd+$/, ''))
  }

  /** What has waited in vain. */
  end(): string {
    return this.#after(this.#decode(this.#ids))
  }

  #after(text: string): string {
    const more = text.slice(this.#said.length)
    this.#said += more
    return more
  }
}
