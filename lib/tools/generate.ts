import { loadTokenizer } from '../data/tokenizer.ts'
import { generate } from '../model/generate.ts'
import type { GenerateOptions } from '../model/generate.ts'
import { answer } from '../util/answer.ts'
import { useModel } from './use-model.ts'

/** SOURCE PROMPT OPTIONS ENGINE: the prompt and its continuation. */
const [source, prompt, options, engine] = process.argv.slice(2) as [string, string, string, string]
await answer(() =>
  useModel(source, engine, async (model, folder) => {
    const tokenizer = await loadTokenizer(folder)
    const wanted = JSON.parse(options) as Omit<GenerateOptions, 'eos' | 'vocabSize'>
    const ids = tokenizer.encode(prompt)
    const all = { ...wanted, eos: tokenizer.eos, vocabSize: Math.min(tokenizer.vocabSize, model.config.vocabSize) }
    const [continuation] = await generate(model, [ids], all, { signal: new AbortController().signal })
    return tokenizer.decode([...ids, ...continuation!])
  }),
)
