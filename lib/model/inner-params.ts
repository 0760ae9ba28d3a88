import { choices } from '../util/choices.ts'
import { Failure } from '../util/failure.ts'
import type { GptConfig } from './config.ts'
import type { InnerLosses, LayerPair } from './inner.ts'

const pairs = (first: number, description: string) =>
  ({
    type: 'array',
    items: {
      type: 'object',
      additionalProperties: false,
      required: ['teacher', 'student'],
      properties: {
        teacher: { type: 'integer', minimum: first, description: `layer of the teacher, counted from ${first}` },
        student: { type: 'integer', minimum: first, description: `layer of the student, counted from ${first}` },
      },
    },
    default: [],
    description,
  }) as const

const weight = (of: string) =>
  ({
    type: 'number',
    exclusiveMinimum: 0,
    default: 1,
    description: `weight of \`${of}\` in the sum of losses, without unit`,
  }) as const

/** What goes on inside the student that is to be as in a teacher who runs in each step, as properties of a JSON schema. */
export const innerProperties = {
  hiddenPairs: pairs(
    0,
    'layers whose output is to be alike, { teacher: 4, student: 2 }; 0 is the embedding. Needs a `teacher` that runs',
  ),
  hiddenLoss: {
    ...choices({
      mse: 'mean of (s − t)² over the width (Jiao et al. 2020, arXiv:1909.10351)',
      cosine: '1 − s·t / (‖s‖ ‖t‖), from 0 to 2 (Sanh et al. 2019, arXiv:1910.01108)',
    }),
    default: 'mse',
    description:
      "distance of the student's hidden states s, after a learnt projection to the teacher's width, from the teacher's t; mean over tokens",
  },
  hiddenWeight: weight('hiddenLoss'),
  attentionPairs: pairs(
    1,
    'layers that are to attend alike, { teacher: 4, student: 2 }, counted from 1. Needs a `teacher` that runs',
  ),
  attentionLoss: {
    ...choices({
      kl: 'KL(teacher ‖ student) = Σ t·(log t − log s), in nats (Wang et al. 2020, arXiv:2002.10957)',
      mse: 'Σ (s − t)²',
    }),
    default: 'kl',
    description:
      'distance of whom tokens attend to, the shares s of the student from t of the teacher; mean over tokens and heads',
  },
  attentionWeight: weight('attentionLoss'),
} as const

interface InnerParams {
  readonly hiddenPairs: readonly LayerPair[]
  readonly hiddenLoss: 'mse' | 'cosine'
  readonly hiddenWeight: number
  readonly attentionPairs: readonly LayerPair[]
  readonly attentionLoss: 'kl' | 'mse'
  readonly attentionWeight: number
}

/** Throws Failure LAYER_UNKNOWN where a pair names a layer that its model does not have. */
export function innerOf(params: InnerParams, layers: { readonly [K in keyof LayerPair]: GptConfig }): InnerLosses {
  const { hiddenPairs, hiddenLoss, hiddenWeight, attentionPairs, attentionLoss, attentionWeight } = params
  checkLayers('hiddenPairs', hiddenPairs, 0, layers)
  checkLayers('attentionPairs', attentionPairs, 1, layers)
  return {
    hidden: { pairs: hiddenPairs, loss: hiddenLoss, weight: hiddenWeight },
    attention: { pairs: attentionPairs, loss: attentionLoss, weight: attentionWeight },
  }
}

/** Throws Failure PAIRS_UNUSED: what a teacher said before tells nothing of its inside. */
export function checkNoPairs({ hiddenPairs, attentionPairs }: InnerParams): void {
  if (hiddenPairs.length + attentionPairs.length === 0) return
  const name = hiddenPairs.length > 0 ? 'hiddenPairs' : 'attentionPairs'
  const message = `\`${name}\` looks inside the teacher, but none runs here. Give the stage a \`teacher\` in place of \`targets\`, or leave \`${name}\` out.`
  throw new Failure('PAIRS_UNUSED', message)
}

function checkLayers(
  name: string,
  all: readonly LayerPair[],
  first: number,
  models: { readonly [K in keyof LayerPair]: GptConfig },
): void {
  for (const who of ['teacher', 'student'] as const) {
    const { layers } = models[who]
    const wrong = all.find((pair) => pair[who] > layers)
    if (!wrong) continue
    const message = `\`${name}\` names layer ${wrong[who]} of the ${who}, which has ${layers}. Name one from ${first} to ${layers}.`
    throw new Failure('LAYER_UNKNOWN', message)
  }
}
