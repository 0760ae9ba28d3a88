import { readFileSync } from 'node:fs'
import { loadTokenizer } from '../data/tokenizer.ts'
import { makeSplit } from '../data/tokens.ts'
import { countWords } from '../data/words.ts'
import { perplexity } from '../model/perplexity.ts'
import { answer } from '../util/answer.ts'
import { Failure } from '../util/failure.ts'
import { useModel } from './use-model.ts'

/** SOURCE FILE STRIDE ENGINE: how well the model predicts a text, read as one document. STRIDE 0 is half the context. */
const [source, file, stride, engine] = process.argv.slice(2) as [string, string, string, string]
await answer(() =>
  useModel(source, engine, async (model, folder) => {
    const text = readFileSync(file, 'utf8')
    const ids = Uint32Array.from((await loadTokenizer(folder)).encode(text))
    if (ids.length < 2) {
      const message = `"${file}" has too little text (tokens: ${ids.length}); it takes two to predict one.`
      throw new Failure('TEXT_EMPTY', message)
    }
    const context = Math.min(model.config.context, ids.length)
    const packing = { context, stride: Number(stride) || Math.ceil(context / 2) }
    const hooks = { signal: new AbortController().signal, onProgress: () => undefined }
    const split = makeSplit(ids, Uint32Array.of(0), 'anywhere')
    const { value, nll, tokens } = await perplexity(model, split, { ...packing, batch: 4, tokens: 0 }, hooks)
    const words = countWords(text)
    return { perplexity: value, perplexityPerWord: Math.exp(nll / words), nll, tokens, words, ...packing }
  }),
)
