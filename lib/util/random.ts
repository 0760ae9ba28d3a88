/**
 * Seeded random numbers, the same on every machine: sfc32 (Chris Doty-Humphrey's Small Fast Chaotic generator, of
 * PractRand, public domain). Its whole state is four integers, so that a checkpoint can carry it.
 */
export class Random {
  /** `stream` names an independent sequence of the same seed: one for each weight, for each epoch. */
  constructor(seed: number, stream = '') {
    this.#state = Int32Array.of(fold(stream, 0x9e3779b9), seed | 0, Math.floor(seed / 2 ** 32) | 0, 1)
    for (let i = 0; i < 16; i++) this.integer()
  }

  readonly #state: Int32Array

  /** Four integers; with `restore` the sequence goes on from here. */
  get state(): readonly number[] {
    return [...this.#state]
  }

  restore(state: readonly number[]): void {
    this.#state.set(state)
  }

  /** Uniform in [0, 2³²). */
  integer(): number {
    const s = this.#state
    const sum = (s[0]! + s[1]! + s[3]!) | 0
    s[3] = s[3]! + 1
    s[0] = s[1]! ^ (s[1]! >>> 9)
    s[1] = s[2]! + (s[2]! << 3)
    s[2] = ((s[2]! << 21) | (s[2]! >>> 11)) + sum
    return sum >>> 0
  }

  /** Uniform in [0, 1), with 53 bits. */
  uniform(): number {
    return (this.integer() * 2 ** 21 + (this.integer() >>> 11)) / 2 ** 53
  }

  /** Uniform integer in [0, n), n at most 2³². */
  below(n: number): number {
    return Math.floor(this.uniform() * n)
  }

  /** Standard normal, by Box and Muller. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    return radius * Math.cos(2 * Math.PI * this.uniform())
  }

  /** One of them; they must not be empty. */
  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!
  }

  /** A shuffled copy, by Fisher and Yates. */
  shuffle<T>(of: readonly T[]): T[] {
    const to = [...of]
    for (let i = to.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[to[i], to[j]] = [to[j]!, to[i]!]
    }
    return to
  }
}

/** FNV-1a over the UTF-16 units. */
function fold(text: string, start: number): number {
  let hash = start
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
