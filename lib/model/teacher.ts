import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { readSafetensors } from '../data/safetensors.ts'
import { writeSafetensors } from '../data/safetensors-write.ts'
import { createTargets, openTargets } from '../data/targets.ts'
import type { Targets, TargetsHeader, TargetsWriter } from '../data/targets.ts'
import type { Split } from '../data/tokens.ts'
import type { Engine, Memory, Program, TensorValue } from '../engine/engine.ts'
import { graph, input } from '../graph/index.ts'
import { Rows } from './batches.ts'
import { checkContext } from './config.ts'
import type { GptConfig } from './config.ts'
import { gpt, headWeight } from './gpt.ts'
import { loadInto, weightState } from './weights.ts'
import type { Model } from './weights.ts'

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

/**
 * Runs the teacher over a split and writes targets of the form `hidden` into `folder`: its final hidden states in half
 * precision, and its head (V, C). Any divergence of output distributions at any temperature follows from the two.
 */
export async function writeTargets(
  folder: string,
  engine: Engine,
  model: Model,
  split: Split,
  options: TeacherOptions,
  hooks: Hooks,
): Promise<void> {
  checkContext(model.config, options.context)
  mkdirSync(folder, { recursive: true })
  const { context, batch } = options
  const rows = new Rows(split, context)
  const memory = engine.memory()
  loadInto(memory, model.weights)
  const program = await compileHidden(engine, model.config, batch, context)
  const writer = createTargets(join(folder, hiddenFile), headerOf(model, split, options))
  try {
    for (let start = 0; start < rows.windows.length; start += batch) {
      hooks.signal.throwIfAborted()
      await appendRows(rows, start, batch, program, memory, writer)
      hooks.onRows(Math.min(start + batch, rows.windows.length), rows.windows.length)
      await new Promise(setImmediate)
    }
    writer.commit()
  } finally {
    writer.discard()
    await program.dispose()
    memory.dispose()
  }
  const head = model.weights.get(headWeight(model.config))!
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

function headerOf(model: Model, split: Split, { context, tokenizerDigest }: TeacherOptions): TargetsHeader {
  return {
    model: model.digest,
    tokenizer: tokenizerDigest,
    stream: split.digest,
    packing: { context, stride: context },
    width: model.config.width,
    count: split.ids.length - 1,
  }
}

/** Feeds: tokens. Output: hidden (B, T, C). */
function compileHidden(engine: Engine, config: GptConfig, batch: number, context: number): Promise<Program> {
  const tokens = input('tokens', [batch, context], 'int32')
  return engine.compile(graph({ outputs: { hidden: gpt(config, weightState(config), { tokens }) } }))
}

async function appendRows(
  rows: Rows,
  start: number,
  batch: number,
  program: Program,
  memory: Memory,
  writer: TargetsWriter,
): Promise<void> {
  const indices = Array.from({ length: batch }, (_, k) => start + k)
  const { hidden } = await program.run({ tokens: rows.feeds(indices).tokens }, memory)
  const { shape, data } = hidden as TensorValue & { data: Float32Array }
  const [, T, C] = shape as readonly [number, number, number]
  indices.forEach((index, row) => {
    const length = rows.windows[index]?.length ?? 0
    writer.append(data.subarray(row * T * C, (row * T + length) * C))
  })
}
