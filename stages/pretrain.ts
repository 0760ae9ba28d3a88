import { readTokens } from '../lib/data/tokens.ts'
import { openEngine, precisionProperty } from '../lib/engine/index.ts'
import type { Attention, GptConfig } from '../lib/model/config.ts'
import { fit, lengths } from '../lib/model/fit.ts'
import { trainProperties } from '../lib/model/train-params.ts'
import { initialise, parameterCount } from '../lib/model/weights.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import { Failure } from '../lib/util/failure.ts'

/** Makes a GPT-2 or a GPT-Neo from nothing. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['context', 'architecture', 'width', 'layers', 'heads'],
    properties: {
      ...trainProperties,
      precision: precisionProperty,
      architecture: { enum: ['gpt2', 'gpt_neo'], description: 'as transformers names it' },
      width: { type: 'integer', minimum: 1, description: 'of the hidden states; a multiple of `heads`' },
      layers: { type: 'integer', minimum: 1, description: 'blocks of attention and MLP' },
      heads: { type: 'integer', minimum: 1, description: 'of the attention in each' },
      inner: { type: 'integer', minimum: 0, default: 0, description: 'width inside the MLPs; 0: four times `width`' },
      attention: {
        type: 'array',
        items: { enum: ['global', 'local'] },
        default: [],
        description: "of GPT-Neo's layers in turn; alternating from global where not given",
      },
      window: { type: 'integer', minimum: 1, default: 256, description: 'positions that a local layer sees' },
      deviation: { type: 'number', exclusiveMinimum: 0, default: 0.02, description: 'of new weights' },
      start: { enum: ['normal', 'induction'], default: 'normal', description: 'drawn, or an induction circuit' },
      dtype: { enum: ['F32', 'F16'], default: 'F32', description: 'of the stored weights' },
    },
  },
  in: ['tokens', 'tokenizer'],
  out: ['model', 'curves'],
  extend: lengths,
  async run({ with: params, in: from, out, engine: choice, ranOn, ...hooks }) {
    const tokens = readTokens(from.tokens)
    if (!tokens.ok) throw tokens.error
    const { splits, eos, vocabSize } = tokens.value
    const config = configOf(params, vocabSize)
    hooks.log(`${parameterCount(config)} parameters`)
    const engine = await openEngine({ ...choice, precision: params.precision })
    ranOn(engine.device)
    try {
      const weights = initialise(config, params.seed, params)
      const inputs = { engine, config, weights, train: splits.train, validation: splits.validation }
      const alone = { ...params, temperature: 1, alpha: 0 }
      const to = { ...out, dtype: params.dtype }
      await fit({ inputs, params: alone, to, tokenizer: from.tokenizer, eos }, hooks)
    } finally {
      await engine.dispose()
    }
  },
})

interface Shape {
  readonly architecture: 'gpt2' | 'gpt_neo'
  readonly context: number
  readonly width: number
  readonly layers: number
  readonly heads: number
  readonly inner: number
  readonly attention: readonly Attention[]
  readonly window: number
}

function configOf({ attention, inner, ...shape }: Shape, vocabSize: number): GptConfig {
  if (shape.architecture === 'gpt2' && attention.length > 0) {
    const message = '`attention` is for `architecture: gpt_neo`: all layers of a GPT-2 are global. Remove it.'
    throw new Failure('ATTENTION_UNUSED', message)
  }
  const turns: readonly Attention[] = attention.length > 0 ? attention : ['global', 'local']
  const kind = (layer: number): Attention =>
    shape.architecture === 'gpt_neo' ? turns[layer % turns.length]! : 'global'
  return {
    architecture: shape.architecture,
    vocabSize,
    context: shape.context,
    width: shape.width,
    layers: shape.layers,
    heads: shape.heads,
    window: shape.window,
    inner: inner || 4 * shape.width,
    attention: Array.from({ length: shape.layers }, (_, layer) => kind(layer)),
    epsilon: 1e-5,
    tied: true,
  }
}
