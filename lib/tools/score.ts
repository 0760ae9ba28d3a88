import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { loadTokenizer } from '../data/tokenizer.ts'
import { makeSplit } from '../data/tokens.ts'
import { openEngine } from '../engine/index.ts'
import { hold } from '../model/likelihood.ts'
import { perplexity } from '../model/perplexity.ts'
import { loadModel } from '../model/weights.ts'
import { Failure } from '../util/failure.ts'
import { answer } from './answer.ts'

/** Of a text under a model. */
export interface TextScore {
  /** exp(nll / tokens) and exp(nll / words); nll is in nats. */
  readonly perplexity: number
  readonly perplexityPerWord: number
  readonly nll: number
  /** Tokens predicted: all but the first. Words are what white space parts. */
  readonly tokens: number
  readonly words: number
  readonly context: number
  readonly stride: number
}

/** FOLDER FILE STRIDE ENGINE: how well the model predicts a text, read as one document. STRIDE 0 is half the context. */
const [folder, file, stride, name] = process.argv.slice(2) as [string, string, string, string]
await answer(async (): Promise<TextScore> => {
  const text = readFileSync(file, 'utf8')
  const model = await loadModel(folder)
  const ids = Uint32Array.from((await loadTokenizer(folder)).encode(text))
  if (ids.length < 2) {
    throw new Failure(
      'TEXT_EMPTY',
      `"${file}" has too little text (tokens: ${ids.length}); it takes two to predict one.`,
    )
  }
  const split = makeSplit(ids, Uint32Array.of(0), 'anywhere')
  const context = Math.min(model.config.context, ids.length)
  const packing = { context, stride: Number(stride) || Math.ceil(context / 2) }
  const engine = await openEngine({ name, threads: availableParallelism() })
  try {
    const hooks = { signal: new AbortController().signal, onProgress: () => undefined }
    const { value, nll, tokens } = await perplexity(
      hold(engine, model),
      split,
      { ...packing, batch: 4, tokens: 0 },
      hooks,
    )
    const words = text.split(/\s+/).filter((word) => word !== '').length
    return { perplexity: value, perplexityPerWord: Math.exp(nll / words), nll, tokens, words, ...packing }
  } finally {
    await engine.dispose()
  }
})
