import { readTokens } from '../lib/data/tokens.ts'
import { openEngine, precisionProperty } from '../lib/engine/index.ts'
import type { Attention, GptConfig } from '../lib/model/config.ts'
import { fit, lengths } from '../lib/model/fit.ts'
import { trainProperties } from '../lib/model/train-params.ts'
import { initialise, parameterCount } from '../lib/model/weights.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import { choices } from '../lib/util/choices.ts'
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
      architecture: {
        ...choices({
          gpt2: 'GPT-2 (Radford et al. 2019)',
          gpt_neo: 'GPT-Neo (Black et al. 2021): scores without 1/√d, layers that see a window alone',
        }),
        description: 'by the name that transformers has for it',
      },
      width: { type: 'integer', minimum: 1, description: 'numbers in a hidden state; a multiple of `heads`' },
      layers: { type: 'integer', minimum: 1, description: 'blocks of attention and MLP, one after another' },
      heads: { type: 'integer', minimum: 1, description: 'heads of the attention in each layer' },
      inner: {
        type: 'integer',
        minimum: 0,
        default: 0,
        description: 'numbers in the inner layer of each MLP; 0: four times `width`',
      },
      attention: {
        type: 'array',
        items: choices({ global: 'sees all before it', local: 'sees `window` positions' }),
        default: [],
        description: "kind of each of GPT-Neo's layers in turn; alternating from global where not given",
      },
      window: {
        type: 'integer',
        minimum: 1,
        default: 256,
        description: 'tokens that a local layer sees, its own among them',
      },
      deviation: {
        type: 'number',
        exclusiveMinimum: 0,
        default: 0.02,
        description:
          'standard deviation of new matrices, without unit; what layers add starts smaller by √(2·layers) (Radford et al. 2019, 2.3)',
      },
      start: {
        ...choices({
          normal: 'drawn from a normal distribution',
          induction: 'with a circuit that looks up what stood after a token before (Olsson et al. 2022)',
        }),
        default: 'normal',
        description: 'how new weights start',
      },
      dtype: {
        ...choices({ F32: 'float32, 4 bytes', F16: 'float16, 2 bytes' }),
        default: 'F32',
        description: 'of each number of the stored weights',
      },
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
