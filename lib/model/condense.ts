import type { Form } from '../data/targets/form.ts'
import type { Columns, GivenColumns } from '../data/targets/records.ts'
import type { Engine, Memory, TensorValue } from '../engine/engine.ts'
import { input, matmul, state } from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import { openSampler } from './condense-sampled.ts'
import { openTopk } from './condense-topk.ts'
import { headWeight } from './gpt.ts'
import type { StoredModel } from './weights.ts'

// P positions at once · D width of the teacher · W rows of its head · V vocabulary of the form

/** Makes of the teacher's hidden states what a form keeps of them. Who opens it disposes of it. */
export interface Condenser {
  /**
   * Of the hidden states (n, D) of the stream's positions from `start` on, halves where the form is of them alone.
   * Throws Failure SCORE_NOT_FINITE.
   */
  columns(hidden: Float32Array | Uint16Array, start: number): Promise<GivenColumns>
  dispose(): Promise<void>
}

/** A condenser of exactly P positions, of which the first `count` are wanted. */
export interface PieceCondenser {
  columns(feeds: { readonly hidden: TensorValue }, memory: Memory, count: number, start: number): Promise<Columns>
  dispose(): Promise<void>
}

/** Positions whose logits exist at once: no matter of the batch, on which the last bits must not depend. */
const positionsAtOnce = 128

export async function openCondenser(
  engine: Engine,
  model: StoredModel,
  form: Form,
  context: number,
): Promise<Condenser> {
  if (form.kind === 'hidden') {
    return { columns: (hidden) => Promise.resolve({ hidden }), dispose: () => Promise.resolve() }
  }
  const shape = [Math.min(positionsAtOnce, context), model.config.width] as const
  const logits = logitsOf(shape, form.vocabulary)
  const pieces =
    form.kind === 'sampled' ? await openSampler(engine, logits, form) : await openTopk(engine, logits, form)
  const memory = engine.memory()
  memory.write('head', firstRows(model.weight(headWeight(model.config)), form.vocabulary))
  return {
    columns: (hidden, start) => inPieces(pieces, memory, shape, hidden as Float32Array, start),
    dispose: async () => {
      await pieces.dispose()
      memory.dispose()
    },
  }
}

/** (P, V) */
const logitsOf = (shape: readonly [number, number], V: number): Tensor =>
  matmul(input('hidden', shape), state('head', [V, shape[1]]), { transposeB: true })

/** Of a matrix; what lies past the vocabulary of the text is padding. */
export function firstRows({ shape, data }: TensorValue, rows: number): TensorValue {
  const width = shape[1]!
  return { shape: [rows, width], data: data.subarray(0, rows * width) }
}

async function inPieces(
  pieces: PieceCondenser,
  memory: Memory,
  [P, D]: readonly [number, number],
  hidden: Float32Array,
  start: number,
): Promise<Columns> {
  const found: Columns[] = []
  for (let at = 0; at < hidden.length / D; at += P) {
    const part = hidden.subarray(at * D, (at + P) * D)
    const data = new Float32Array(P * D)
    data.set(part)
    found.push(await pieces.columns({ hidden: { shape: [P, D], data } }, memory, part.length / D, start + at))
  }
  return joined(found)
}

function joined(parts: readonly Columns[]): Columns {
  const names = Object.keys(parts[0] ?? {})
  return Object.fromEntries(names.map((name) => [name, joinedValues(parts.map((part) => part[name]!))]))
}

function joinedValues(parts: readonly Columns[string][]): Columns[string] {
  const size = parts.reduce((sum, { length }) => sum + length, 0)
  const all = parts[0] instanceof Int32Array ? new Int32Array(size) : new Float32Array(size)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
