import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { startFile } from '../data/publish.ts'
import { isFile, readExactly } from '../data/read.ts'
import type { Attend } from '../data/windows.ts'
import type { Memory, Program } from '../engine/engine.ts'
import { documentsOf } from './batches.ts'
import type { Rows, TokenStates } from './batches.ts'

/** Runs the layers that are kept the output of, so many rows at once, each `width` numbers a token. */
export interface FixedModel {
  readonly program: Program
  readonly memory: Memory
  readonly size: number
  readonly width: number
  readonly attend?: Attend | undefined
}

/** Who opens them closes them. */
export interface FixedStates extends TokenStates {
  close(): void
}

/**
 * What comes out of the first layers of a model, which do not learn, at every token of a stream but the last: float32
 * in a file that is made where it is not there yet, in the order of the rows, so that its bytes depend on nothing else.
 */
export async function openFixed(
  file: string,
  rows: Rows,
  model: FixedModel,
  breathe: () => Promise<void>,
): Promise<FixedStates> {
  if (!isFile(file)) await writeFixed(file, rows, model, breathe)
  const { width } = model
  const fd = openSync(file, 'r')
  return {
    width,
    rows: (start, count) => {
      const found = new Float32Array(count * width)
      if (readExactly(fd, new Uint8Array(found.buffer), 4 * start * width)) return found
      throw new Error(`Internal error: "${file}" has no ${count} rows of ${width} at ${start}`)
    },
    close: () => closeSync(fd),
  }
}

async function writeFixed(
  file: string,
  rows: Rows,
  { program, memory, size, width, attend }: FixedModel,
  breathe: () => Promise<void>,
): Promise<void> {
  mkdirSync(dirname(file), { recursive: true })
  const draft = startFile(file)
  let done = 0
  const append = (values: Float32Array): void => {
    draft.append(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    done += values.length / width
  }
  try {
    for (let start = 0; start < rows.windows.length; start += size) {
      const indices = Array.from({ length: size }, (_, k) => start + k)
      const { tokens } = rows.feeds(indices)
      const { fixed } = await program.run({ tokens, ...documentsOf(rows, indices, attend) }, memory)
      const data = fixed!.data as Float32Array
      const each = data.length / size
      rows.windows.slice(start, start + size).forEach((window, row) => {
        append(new Float32Array((window.start - done) * width)) // a corpus's last token is in no row
        append(data.subarray(row * each, row * each + window.length * width))
      })
      await breathe()
    }
    draft.commit()
  } finally {
    draft.discard()
  }
}
