import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { readSafetensors } from '../data/safetensors.ts'
import { writeSafetensors } from '../data/safetensors-write.ts'
import { createRecords, createTargets, joinTargets, openTargets } from '../data/targets.ts'
import type { TargetsWriter } from '../data/targets.ts'
import type { Form } from '../data/targets/form.ts'
import type { TargetsHeader } from '../data/targets/header.ts'
import type { Split } from '../data/tokens.ts'
import type { Attend } from '../data/windows.ts'
import type { Engine, Feed, TensorValue } from '../engine/engine.ts'
import type { UnitRange } from '../util/unit-range.ts'
import { Rows, documentsOf, rowsOf } from './batches.ts'
import { openCondenser } from './condense.ts'
import type { Condenser } from './condense.ts'
import { checkContext } from './config.ts'
import type { GptConfig } from './config.ts'
import { headWeight } from './gpt.ts'
import type { HiddenPass, PassHooks } from './hidden-pass.ts'
import { sparseShape } from './taught.ts'
import type { Others, StoredTeacher } from './taught.ts'
import type { StoredModel } from './weights.ts'
import { openPass } from './whole.ts'

export interface TeacherOptions {
  readonly context: number
  /** What a token sees; the row where not given. */
  readonly attend?: Attend
  /** Rows at once: of no effect on the result. */
  readonly batch: number
  readonly tokenizerDigest: string
  readonly form: Form
}

interface Hooks {
  readonly signal: AbortSignal
  readonly onRows: (done: number, total: number) => void
}

const targetsFile = 'targets.bin'
const headFile = 'head.safetensors'
const headName = 'head'

/** Bytes of hidden states that go through the layers at once: a layer's weights are read once for all of them. */
const blockBytes = 2 ** 30

/**
 * Runs the teacher over a split and writes into `folder` what the form keeps of it; beside hidden states also the
 * teacher's head (W, D), from which with them any divergence of output distributions at any temperature follows.
 */
export async function writeTargets(
  folder: string,
  engine: Engine,
  model: StoredModel,
  split: Split,
  options: TeacherOptions,
  hooks: Hooks,
): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const open = (): TargetsWriter => createTargets(join(folder, targetsFile), headerOf(model, split, options))
  await writeRows(open, engine, model, split, { ...options, range: { from: 0, to: Infinity } }, hooks)
  writeHead(folder, model, options.form)
}

/** How many batches of rows `writeTargets` takes. */
export const batchCount = (split: Split, { context, batch }: Pick<TeacherOptions, 'context' | 'batch'>): number =>
  Math.ceil(rowsOf(split, { context, stride: context }).length / batch)

/** Runs the teacher over some of the batches alone, and keeps in a file what `mergeTargets` takes. */
export async function writeBatches(
  file: string,
  engine: Engine,
  model: StoredModel,
  split: Split,
  options: TeacherOptions & { readonly range: UnitRange },
  hooks: Hooks,
): Promise<void> {
  const { context, batch, range } = options
  const rows = rowsOf(split, { context, stride: context })
  const place = (index: number): number => rows[index * batch]?.start ?? split.ids.length - 1
  const places = [place(range.from), place(range.to)] as const
  const open = (): TargetsWriter => createRecords(file, headerOf(model, split, options), places)
  await writeRows(open, engine, model, split, options, hooks)
}

/** What `writeTargets` writes, of files that `writeBatches` wrote of all batches, in their order. */
export function mergeTargets(
  folder: string,
  model: StoredModel,
  split: Split,
  options: TeacherOptions,
  parts: readonly string[],
): void {
  mkdirSync(folder, { recursive: true })
  joinTargets(join(folder, targetsFile), headerOf(model, split, options), parts)
  writeHead(folder, model, options.form)
}

async function writeRows(
  open: () => TargetsWriter,
  engine: Engine,
  model: StoredModel,
  split: Split,
  options: TeacherOptions & { readonly range: UnitRange },
  hooks: Hooks,
): Promise<void> {
  const { form, context, attend = 'row', batch, range } = options
  checkContext(model.config, context)
  const halves = form.kind === 'hidden' && form.dtype === 'F16'
  const hidden = await openPass(engine, model, { rows: batch, length: context, attend, halves })
  const condenser = await openCondenser(engine, model, form, context)
  const writer = open()
  try {
    const pass = { hidden, attend, condenser, writer }
    await runBlocks(pass, new Rows(split, context), blockOf(model.config, options), range, hooks)
    writer.commit()
  } finally {
    writer.discard()
    await condenser.dispose()
    await hidden.dispose()
  }
}

function writeHead(folder: string, model: StoredModel, form: Form): void {
  if (form.kind !== 'hidden') return
  const head = model.weight(headWeight(model.config))
  writeSafetensors(join(folder, headFile), new Map([[headName, head]]), { dtype: 'F32' })
}

/**
 * What `writeTargets` wrote; `others` is how a training uses top-k targets. Who reads closes `targets`.
 * Throws Failure FILE_MISSING, TARGETS_…, SAFETENSORS_….
 */
export function readTargets(folder: string, others: Others): StoredTeacher {
  const opened = openTargets(join(folder, targetsFile))
  if (!opened.ok) throw opened.error
  const targets = opened.value
  const { form } = targets.header
  if (form.kind !== 'hidden') return { targets, shape: sparseShape(form, others) }
  const head = readHead(folder)
  const fed = targets.halves ? ({ fed: 'float16' } as const) : {}
  return { targets, shape: { kind: 'hidden', ...fed, head: [head.shape[0]!, head.shape[1]!] }, head }
}

function readHead(folder: string): TensorValue {
  const file = readSafetensors(join(folder, headFile))
  if (!file.ok) throw file.error
  const head = file.value.tensor(headName)
  return { shape: head.shape, data: head.data() }
}

function headerOf(model: StoredModel, split: Split, options: TeacherOptions): TargetsHeader {
  const { context, attend = 'row', tokenizerDigest, form } = options
  return {
    model: model.digest,
    tokenizer: tokenizerDigest,
    stream: split.digest,
    packing: { context, stride: context },
    attend,
    count: split.ids.length - 1,
    form,
  }
}

/** Rows at once whose largest activations, of the inner MLP or of the scores, are some 64 MiB. */
export function rowsAtOnce({ inner, heads }: GptConfig, context: number): number {
  const row = 4 * context * Math.max(inner, heads * context)
  return Math.min(64, Math.max(1, Math.floor(2 ** 26 / row)))
}

/** Rows that go through the layers at once, and through a layer. */
interface Block {
  readonly rows: number
  readonly batch: number
}

const blockOf = ({ width }: GptConfig, { context, batch }: TeacherOptions): Block => ({
  rows: batch * Math.max(1, Math.floor(blockBytes / (4 * width * context * batch))),
  batch,
})

interface Pass {
  readonly hidden: HiddenPass
  readonly attend: Attend
  readonly condenser: Condenser
  readonly writer: TargetsWriter
}

async function runBlocks(
  pass: Pass,
  rows: Rows,
  block: Block,
  range: UnitRange,
  { signal, onRows }: Hooks,
): Promise<void> {
  const [first, last] = [range.from * block.batch, Math.min(range.to * block.batch, rows.windows.length)]
  for (let start = first; start < last; start += block.rows) {
    const end = Math.min(start + block.rows, last)
    const onBatch = (done: number, all: number): void =>
      onRows(start - first + Math.floor(((end - start) * done) / all), last - first)
    const past = rows.windows.length
    await appendRows(pass, rows, batchesOf([start, end], pass.hidden.rows, past), { signal, onBatch })
  }
}

/** Indices of rows, as many to each batch; those that the last one has no row for lie past all. */
const batchesOf = ([start, end]: readonly [number, number], batch: number, past: number): number[][] =>
  Array.from({ length: Math.ceil((end - start) / batch) }, (_, k) =>
    Array.from({ length: batch }, (__, row) => start + k * batch + row).map((index) => (index < end ? index : past)),
  )

async function appendRows(
  { hidden, attend, condenser, writer }: Pass,
  rows: Rows,
  batches: readonly (readonly number[])[],
  hooks: PassHooks,
): Promise<void> {
  const feeds = batches.map((indices) => ({
    tokens: rows.feeds(indices).tokens,
    ...documentsOf(rows, indices, attend),
  }))
  let taken = 0
  for await (const states of hidden.run(feeds, hooks)) {
    for (const row of statesOf(rows, batches[taken++]!, states)) {
      hooks.signal.throwIfAborted()
      writer.append(await condenser.columns(row.states, row.start), row.length)
    }
  }
}

/** The hidden states of a batch (B, T, C) by row, without the padding: (length, C) of the stream from `start` on. */
export function statesOf(
  rows: Rows,
  indices: readonly number[],
  { shape, data }: Feed,
): { readonly start: number; readonly length: number; readonly states: Float32Array | Uint16Array }[] {
  const [, T, C] = shape as readonly [number, number, number]
  return indices.flatMap((index, row) => {
    const window = rows.windows[index]
    if (!window) return []
    const { start, length } = window
    const states = (data as Float32Array | Uint16Array).subarray(row * T * C, (row * T + length) * C)
    return [{ start, length, states }]
  })
}
