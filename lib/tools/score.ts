import { readText } from '../data/read.ts'
import { makeSplit } from '../data/tokens.ts'
import { countWords } from '../data/words.ts'
import { perplexity } from '../model/perplexity.ts'
import { answer } from '../util/answer.ts'
import { Failure } from '../util/failure.ts'
import { encodeFor } from './encode.ts'
import { useModel } from './use-model.ts'

/** SOURCE FILE STRIDE ENGINE: how well the model predicts a text, read as one document. STRIDE 0 is half the context. */
const [source, file, stride, engine] = process.argv.slice(2) as [string, string, string, string]
await answer(() =>
  useModel(source, engine, async (model, folder) => {
    const text = readText(file)
    const words = countWords(text)
    const ids = Uint32Array.from((await encodeFor(model.config, folder, text)).ids)
    if (ids.length < 2 || words === 0) {
      const message = `"${file}" has too little text (tokens: ${ids.length}, words: ${words}); it takes two tokens to predict one, and a word.`
      throw new Failure('TEXT_EMPTY', message)
    }
    const context = Math.min(model.config.context, ids.length)
    const packing = { context, stride: Number(stride) || Math.ceil(context / 2) }
    const hooks = { signal: new AbortController().signal, onProgress: () => undefined }
    const split = makeSplit(ids, Uint32Array.of(0), 'anywhere')
    const { value, nll, tokens } = await perplexity(model, split, { ...packing, batch: 4, tokens: 0 }, hooks)
    return { perplexity: value, perplexityPerWord: Math.exp(nll / words), nll, tokens, words, ...packing }
  }),
)
