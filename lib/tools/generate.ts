import { availableParallelism } from 'node:os'
import { loadTokenizer } from '../data/tokenizer.ts'
import { openEngine } from '../engine/index.ts'
import { generate } from '../model/generate.ts'
import type { GenerateOptions } from '../model/generate.ts'
import { hold } from '../model/likelihood.ts'
import { answer } from '../util/answer.ts'
import { openModel } from './open-model.ts'

/** SOURCE PROMPT OPTIONS ENGINE: the continuation's text. */
const [source, prompt, options, name] = process.argv.slice(2) as [string, string, string, string]
await answer(async () => {
  const { model, folder } = await openModel(source)
  const tokenizer = await loadTokenizer(folder)
  const engine = await openEngine({ name, threads: availableParallelism() })
  try {
    const wanted = JSON.parse(options) as Omit<GenerateOptions, 'eos' | 'vocabSize'>
    const ids = tokenizer.encode(prompt)
    const all = { ...wanted, eos: tokenizer.eos, vocabSize: Math.min(tokenizer.vocabSize, model.config.vocabSize) }
    const [continuation] = await generate(hold(engine, model), [ids], all, new AbortController().signal)
    return tokenizer.decode([...ids, ...continuation!])
  } finally {
    await engine.dispose()
  }
})
