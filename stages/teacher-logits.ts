import { readTokens } from '../lib/data/tokens.ts'
import { openEngine, precisionProperty } from '../lib/engine/index.ts'
import { checkVocabulary } from '../lib/model/vocabulary.ts'
import { rowsAtOnce, writeTargets } from '../lib/model/teacher.ts'
import { openModel } from '../lib/model/weights.ts'
import { defineStage } from '../lib/pipeline/stage.ts'

/** The teacher's one pass over the training text, layer by layer, in a form that is exact at any temperature. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['context'],
    properties: {
      context: { type: 'integer', minimum: 1, description: 'tokens in a row, the same as in training' },
      precision: precisionProperty,
    },
  },
  in: ['teacher', 'tokens'],
  out: ['targets'],
  async run({ with: { context, precision }, in: from, out, engine: choice, ranOn, signal, progress, log }) {
    const tokens = readTokens(from.tokens)
    if (!tokens.ok) throw tokens.error
    const { splits, tokenizerDigest } = tokens.value
    const model = await openModel(from.teacher)
    await checkVocabulary(from.teacher, model.config, tokens.value)
    const engine = await openEngine({ ...choice, precision })
    ranOn(engine.device)
    try {
      const onRows = (done: number, total: number): void => progress({ done, total, unit: 'rows' })
      const options = { context, batch: rowsAtOnce(model.config, context), tokenizerDigest }
      await writeTargets(out.targets, engine, model, splits.train, options, { signal, onRows })
      log(`${splits.train.ids.length - 1} hidden states of width ${model.config.width}`)
    } finally {
      await engine.dispose()
    }
  },
})
