import { graph, input, matmul, reshape } from '../graph/index.ts'
import { Failure } from '../util/failure.ts'
import { gpt, headOf } from './gpt.ts'
import { checkFinite } from './likelihood.ts'
import type { Running } from './likelihood.ts'
import { weightState } from './weights.ts'

/**
 * Logits (T, V) of what follows each of T tokens. Throws Failure IDS_EMPTY, ID_UNKNOWN, CONTEXT_TOO_LONG where the row
 * does not fit the model, and SCORE_NOT_FINITE.
 */
export async function logitsOf(model: Running, ids: readonly number[]): Promise<Float32Array[]> {
  const { engine, memory, config } = model
  checkIds(ids, config.vocabSize, config.context)
  const [T, V] = [ids.length, config.vocabSize]
  const weight = weightState(config)
  const hidden = reshape(gpt(config, weight, { tokens: input('tokens', [1, T], 'int32') }), [T, config.width])
  const outputs = { logits: matmul(hidden, headOf(config, weight), { transposeB: true }) }
  const program = await engine.compile(graph({ outputs }))
  try {
    const { logits } = await program.run({ tokens: { shape: [1, T], data: Int32Array.from(ids) } }, memory)
    checkFinite(logits!.data)
    return Array.from(ids, (_, t) => logits!.data.subarray(t * V, (t + 1) * V) as Float32Array)
  } finally {
    await program.dispose()
  }
}

function checkIds(ids: readonly number[], vocabSize: number, context: number): void {
  if (ids.length === 0) throw new Failure('IDS_EMPTY', 'There is no token. Give at least one id.')
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize)
  if (wrong !== undefined) {
    throw new Failure(
      'ID_UNKNOWN',
      `${wrong} is no token: the model's ids are whole numbers from 0 to ${vocabSize - 1}.`,
    )
  }
  if (ids.length <= context) return
  const message = `${ids.length} tokens do not fit the model's position table of ${context}. Give fewer.`
  throw new Failure('CONTEXT_TOO_LONG', message)
}
