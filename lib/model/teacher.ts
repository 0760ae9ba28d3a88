import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { readSafetensors } from '../data/safetensors.ts'
import { writeSafetensors } from '../data/safetensors-write.ts'
import { createTargets, openTargets } from '../data/targets.ts'
import type { Targets, TargetsHeader, TargetsWriter } from '../data/targets.ts'
import type { Split } from '../data/tokens.ts'
import type { Engine, TensorValue } from '../engine/engine.ts'
import { Rows } from './batches.ts'
import { checkContext } from './config.ts'
import type { GptConfig } from './config.ts'
import { headWeight } from './gpt.ts'
import { openLayerwise } from './layerwise.ts'
import type { Layerwise, LayerwiseHooks } from './layerwise.ts'
import type { StoredModel } from './weights.ts'

export interface TeacherOptions {
  readonly context: number
  /** Rows at once: of no effect on the result. */
  readonly batch: number
  readonly tokenizerDigest: string
}

interface Hooks {
  readonly signal: AbortSignal
  readonly onRows: (done: number, total: number) => void
}

const hiddenFile = 'hidden.bin'
const headFile = 'head.safetensors'
const headName = 'head'

/** Bytes of hidden states that go through the layers at once: a layer's weights are read once for all of them. */
const blockBytes = 2 ** 30

/**
 * Runs the teacher over a split and writes targets of the form `hidden` into `folder`: its final hidden states in half
 * precision, and its head (V, C). Any divergence of output distributions at any temperature follows from the two.
 */
export async function writeTargets(
  folder: string,
  engine: Engine,
  model: StoredModel,
  split: Split,
  options: TeacherOptions,
  hooks: Hooks,
): Promise<void> {
  checkContext(model.config, options.context)
  mkdirSync(folder, { recursive: true })
  const rows = new Rows(split, options.context)
  const layerwise = await openLayerwise(engine, model, { rows: options.batch, length: options.context })
  const writer = createTargets(join(folder, hiddenFile), headerOf(model, split, options))
  const [count, atOnce] = [rows.windows.length, rowsInBlock(model.config, options)]
  try {
    for (let start = 0; start < count; start += atOnce) {
      const end = Math.min(start + atOnce, count)
      const onBatch = (done: number, all: number): void =>
        hooks.onRows(start + Math.floor(((end - start) * done) / all), count)
      await appendRows(layerwise, rows, batchesOf(start, end, options.batch), writer, { signal: hooks.signal, onBatch })
    }
    writer.commit()
  } finally {
    writer.discard()
    await layerwise.dispose()
  }
  const head = model.weight(headWeight(model.config))
  writeSafetensors(join(folder, headFile), new Map([[headName, head]]), { dtype: 'F32' })
}

/** What `writeTargets` wrote. Who reads closes `targets`. Throws Failure FILE_MISSING, TARGETS_…, SAFETENSORS_…. */
export function readTargets(folder: string): { targets: Targets; head: TensorValue } {
  const targets = openTargets(join(folder, hiddenFile))
  if (!targets.ok) throw targets.error
  const file = readSafetensors(join(folder, headFile))
  if (!file.ok) throw file.error
  const head = file.value.tensor(headName)
  return { targets: targets.value, head: { shape: head.shape, data: head.data() } }
}

function headerOf(model: StoredModel, split: Split, { context, tokenizerDigest }: TeacherOptions): TargetsHeader {
  return {
    model: model.digest,
    tokenizer: tokenizerDigest,
    stream: split.digest,
    packing: { context, stride: context },
    width: model.config.width,
    count: split.ids.length - 1,
  }
}

/** Rows at once whose largest activations, of the inner MLP or of the scores, are some 64 MiB. */
export function rowsAtOnce({ inner, heads }: GptConfig, context: number): number {
  const row = 4 * context * Math.max(inner, heads * context)
  return Math.min(64, Math.max(1, Math.floor(2 ** 26 / row)))
}

const rowsInBlock = ({ width }: GptConfig, { context, batch }: TeacherOptions): number =>
  batch * Math.max(1, Math.floor(blockBytes / (4 * width * context * batch)))

/** Indices of rows, as many to each batch: the last ones may lie past the end. */
const batchesOf = (start: number, end: number, batch: number): number[][] =>
  Array.from({ length: Math.ceil((end - start) / batch) }, (_, k) =>
    Array.from({ length: batch }, (__, row) => start + k * batch + row),
  )

async function appendRows(
  layerwise: Layerwise,
  rows: Rows,
  batches: readonly (readonly number[])[],
  writer: TargetsWriter,
  hooks: LayerwiseHooks,
): Promise<void> {
  const hidden = await layerwise.run(
    batches.map((indices) => rows.feeds(indices).tokens),
    hooks,
  )
  batches.forEach((indices, i) => {
    const { shape, data } = hidden[i] as TensorValue & { data: Float32Array }
    const [, T, C] = shape as readonly [number, number, number]
    indices.forEach((index, row) => {
      const length = rows.windows[index]?.length ?? 0
      writer.append(data.subarray(row * T * C, (row * T + length) * C))
    })
  })
}
