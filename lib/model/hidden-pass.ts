import type { Attend } from '../data/windows.ts'
import type { Feed, TensorValue } from '../engine/engine.ts'
import { input } from '../graph/index.ts'
import type { Batch } from './gpt.ts'

// B rows of a batch · T tokens in a row · C width

export interface PassShape {
  /** Of a batch, at least: where there is room for more they are some times as many. */
  readonly rows: number
  readonly length: number
  /** What a token sees; the row where not given. */
  readonly attend?: Attend
  /** Nobody asks for more of the states than halves hold: where that is faster they come as such. */
  readonly halves?: boolean
}

export interface PassHooks {
  readonly signal: AbortSignal
  /** Batches that went through a part of the model, of as many as go through all. */
  readonly onBatch: (done: number, total: number) => void
}

export interface PassBatch {
  readonly tokens: TensorValue
  readonly documents?: TensorValue
}

/** A model on its way from a file through an engine. Who opens it disposes of it. */
export interface HiddenPass {
  /** Of a batch. */
  readonly rows: number
  /**
   * Tokens (B, T) of each batch, and their documents where nothing else is seen, to its hidden states (B, T, C), after
   * the last norm, in their order. Throws Failure of `weight`.
   */
  run(batches: readonly PassBatch[], hooks: PassHooks): AsyncIterable<Feed>
  dispose(): Promise<void>
}

/** The inputs of a batch. */
export function batchOf({ rows, length, attend }: PassShape): Batch {
  const tokens = input('tokens', [rows, length], 'int32')
  return attend === 'document' ? { tokens, documents: input('documents', [rows, length], 'int32') } : { tokens }
}
