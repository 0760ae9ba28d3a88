/** What the code at the end of a message says. */
export interface Explanation {
  readonly means: string
  /** The usual one. */
  readonly cause: string
  /** What to do: a command, or what to write, where there is one. */
  readonly advice: string
}
