export interface FetchHooks {
  readonly signal: AbortSignal
  /** Bytes of all files that are wanted. */
  readonly onBytes: (done: number, total: number) => void
  readonly log: (message: string) => void
}

/** Of the paths of a folder elsewhere those that are wanted. Throws a Failure where a needed one is not among them. */
export type Pick = (paths: readonly string[]) => readonly string[]
