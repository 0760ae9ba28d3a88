import type { Memory, Program } from '../engine/engine.ts'
import { documentsOf } from './batches.ts'
import type { Rows } from './batches.ts'
import { scalar } from './steps.ts'
import type { TrainOptions } from './train.ts'

/** Cross-entropy of the first rows of the validation split, nats per token. `breathe` is awaited after each run. */
export async function validate(
  program: Program,
  memory: Memory,
  rows: Rows,
  options: TrainOptions,
  breathe: () => Promise<void>,
): Promise<number> {
  const { accumulate, batch, validationRows } = options
  const size = batch / accumulate
  const count = Math.min(validationRows || Infinity, rows.windows.length)
  let sum = 0
  let tokens = 0
  for (let start = 0; start < count; start += size) {
    const indices = Array.from({ length: size }, (_, k) => (start + k < count ? start + k : -1))
    const { valid, ...feeds } = rows.feeds(indices)
    const documents = documentsOf(rows, indices, options.attend)
    const { ce } = await program.run({ ...feeds, ...documents, weight: scalar(1) }, memory)
    sum += ce!.data[0]!
    tokens += valid
    await breathe()
  }
  return sum / tokens
}
