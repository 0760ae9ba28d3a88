import { writeFileSync } from 'node:fs'
import { loadTokenizer } from '../lib/data/tokenizer.ts'
import { readTokens } from '../lib/data/tokens.ts'
import { openEngine, precisionProperty } from '../lib/engine/index.ts'
import { agreementOf } from '../lib/model/agreement.ts'
import { hold } from '../lib/model/likelihood.ts'
import { logitsOf } from '../lib/model/logits.ts'
import { nextTokens } from '../lib/model/next-tokens.ts'
import { checkVocabulary } from '../lib/model/vocabulary.ts'
import { loadModel } from '../lib/model/weights.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import type { AgreementReport, Prompt } from '../lib/report/agreement.ts'

/** How near a model's distributions lie to those of the teacher: on the test split, and after some prompts. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['context'],
    properties: {
      context: {
        type: 'integer',
        minimum: 1,
        description: "tokens in a row of the test text; at most as many as the models' tables of positions have",
      },
      tokens: {
        type: 'integer',
        minimum: 0,
        default: 0,
        description: 'tokens of the test text that are read, from its start; 0: all',
      },
      prompts: {
        type: 'array',
        items: { type: 'string', minLength: 1 },
        default: [],
        description: 'texts after which the likeliest next tokens of both models are shown',
      },
      most: { type: 'integer', minimum: 1, default: 20, description: 'tokens that are shown after a prompt' },
      batch: { type: 'integer', minimum: 1, default: 8, description: 'rows at once: of no effect on the result' },
      precision: precisionProperty,
    },
  },
  in: ['teacher', 'model', 'tokens'],
  out: ['agreement'],
  async run({ with: params, in: from, out, engine: choice, ranOn, signal, progress, log }) {
    const read = readTokens(from.tokens)
    if (!read.ok) throw read.error
    const { splits, vocabSize } = read.value
    const models = [await loadModel(from.teacher), await loadModel(from.model)] as const
    await checkVocabulary(from.teacher, models[0].config, read.value)
    await checkVocabulary(from.model, models[1].config, read.value)
    const engine = await openEngine({ ...choice, precision: params.precision })
    ranOn(engine.device)
    const [teacher, student] = [hold(engine, models[0]), hold(engine, models[1])]
    try {
      const onProgress = (done: number, total: number): void => progress({ done, total, unit: 'rows' })
      const found = await agreementOf(teacher, student, splits.test, { ...params, vocabSize }, { signal, onProgress })
      const prompts: Prompt[] = []
      const tokenizer = params.prompts.length > 0 ? await loadTokenizer(from.model) : undefined
      for (const prompt of params.prompts) {
        const ids = tokenizer!.encode(prompt)
        const [taught, learnt] = [await logitsOf(teacher, ids), await logitsOf(student, ids)]
        const options = { vocabSize, most: params.most, decode: tokenizer!.decode }
        prompts.push({ prompt, next: nextTokens(taught.at(-1)!, learnt.at(-1)!, options) })
      }
      const report: AgreementReport = { ...found, prompts }
      writeFileSync(out.agreement, `${JSON.stringify(report)}\n`)
      log(`KL ${found.kl.toFixed(4)}, the same likeliest token in ${(100 * found.top1).toFixed(1)} % of places`)
    } finally {
      for (const { memory } of [teacher, student]) memory.dispose()
      await engine.dispose()
    }
  },
})
