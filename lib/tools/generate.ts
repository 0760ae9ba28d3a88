import { TextStream } from '../data/text-stream.ts'
import { generate } from '../model/generate.ts'
import type { GenerateOptions } from '../model/generate.ts'
import { answer, say } from '../util/answer.ts'
import { encodeFor } from './encode.ts'
import { useModel } from './use-model.ts'

/** SOURCE PROMPT OPTIONS ENGINE: the text of the prompt and its continuation in parts as they come; then its ids, whole. */
const [source, prompt, options, engine] = process.argv.slice(2) as [string, string, string, string]
await answer(() =>
  useModel(source, engine, async (model, folder) => {
    const { ids, tokenizer } = await encodeFor(model.config, folder, prompt)
    const wanted = JSON.parse(options) as Omit<GenerateOptions, 'eos' | 'vocabSize'>
    const all = { ...wanted, eos: tokenizer.eos, vocabSize: Math.min(tokenizer.vocabSize, model.config.vocabSize) }
    const stream = new TextStream(tokenizer.decode, ids)
    const part = (text: string): void => say({ type: 'part', part: text })
    const hooks = { signal: new AbortController().signal, onToken: (id: number) => part(stream.add(id)) }
    const [continuation] = await generate(model, [ids], all, hooks)
    part(stream.end())
    const whole = [...ids, ...continuation!]
    return { ids: whole, text: tokenizer.decode(whole) }
  }),
)
