import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { loadTokenizer } from '../data/tokenizer.ts'
import { makeSplit } from '../data/tokens.ts'
import { openEngine } from '../engine/index.ts'
import { hold } from '../model/likelihood.ts'
import { perplexity } from '../model/perplexity.ts'
import { Failure } from '../util/failure.ts'
import { answer } from '../util/answer.ts'
import { openModel } from './open-model.ts'

/** SOURCE FILE STRIDE ENGINE: how well the model predicts a text, read as one document. STRIDE 0 is half the context. */
const [source, file, stride, name] = process.argv.slice(2) as [string, string, string, string]
await answer(async () => {
  const text = readFileSync(file, 'utf8')
  const { model, folder } = await openModel(source)
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
