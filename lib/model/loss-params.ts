import { choices } from '../util/choices.ts'
import type { Objective } from './losses.ts'
import type { LossName } from './losses/divergence.ts'

// t, s: the teacher's and the student's probabilities at a temperature of `temperature`
/** Each is a number a token. */
const meanings: Readonly<Record<LossName, string>> = {
  'forward-kl': 'KL(teacher ‖ student) = Σ t·(log t − log s), in nats a token (Hinton et al. 2015, arXiv:1503.02531)',
  'reverse-kl': 'KL(student ‖ teacher) = Σ s·(log s − log t), in nats a token (Gu et al. 2023, arXiv:2306.08543)',
  jsd: 'generalised Jensen–Shannon: β·KL(t ‖ m) + (1 − β)·KL(s ‖ m), m = β·t + (1 − β)·s, β from `beta`, in nats a token (Agarwal et al. 2023, arXiv:2306.13649)',
  'symmetric-kl':
    "the mean of KL(teacher ‖ student) and KL(student ‖ teacher), half of Jeffreys' divergence, in nats a token",
  'skew-kl': 'KL(t ‖ λ·t + (1 − λ)·s), λ from `skew`, in nats a token (Ko et al. 2024, arXiv:2402.03898)',
  'skew-reverse-kl': 'KL(s ‖ λ·s + (1 − λ)·t), λ from `skew`, in nats a token (Ko et al. 2024, arXiv:2402.03898)',
  'total-variation': 'half of Σ |s − t|, a share from 0 to 1 (Wen et al. 2023, arXiv:2307.15190)',
  'mse-logits':
    'mean squared difference of the logits as they are, without `temperature` (Kim et al. 2021, arXiv:2105.08919)',
  'argmax-ce': "−log s of the teacher's likeliest token, without `temperature`, in nats a token",
}

const names = Object.keys(meanings) as LossName[]

interface Weight {
  readonly type: 'number'
  readonly exclusiveMinimum: 0
  readonly description: string
}

const weights = Object.fromEntries(
  names.map((name) => [name, { type: 'number', exclusiveMinimum: 0, description: `weight of ${meanings[name]}` }]),
) as Readonly<Record<LossName, Weight>>

/** What the student minimises of its distance to the teacher, as properties of a stage's JSON schema. */
export const lossProperties = {
  loss: {
    anyOf: [
      { type: 'string', ...choices(meanings) },
      { type: 'object', additionalProperties: false, minProperties: 1, properties: weights },
    ],
    default: 'forward-kl',
    description:
      'the distance to the teacher that the student minimises, t and s being their probabilities of the next token at `temperature`; a name, or a sum: names with their weights, { forward-kl: 1, mse-logits: 0.1 }',
  },
  beta: {
    type: 'number',
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    default: 0.5,
    description:
      "the teacher's share β in the mixture of `loss: jsd`, from 0 to 1 (Agarwal et al. 2023, arXiv:2306.13649)",
  },
  skew: {
    type: 'number',
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    default: 0.1,
    description:
      'share λ of one distribution mixed into the other by the skewed losses, from 0 to 1 (Ko et al. 2024, arXiv:2402.03898)',
  },
  squareTemperature: {
    type: 'boolean',
    default: true,
    description:
      'softened losses count T² times, so that a new `temperature` leaves their share in the gradient as it is (Hinton et al. 2015, arXiv:1503.02531, section 2)',
  },
} as const

interface LossParams {
  readonly loss: string | Readonly<Partial<Record<LossName, number | undefined>>>
  readonly beta: number
  readonly skew: number
  readonly squareTemperature: boolean
}

/** Of parameters that the schema lets through. The order of terms is one: that of the file would change the sum's last bit. */
export function objectiveOf({ loss, beta, skew, squareTemperature }: LossParams): Objective {
  const given = typeof loss === 'string' ? { [loss]: 1 } : loss
  const found = names.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]] as const]))
  return { weights: Object.fromEntries(found), beta, skew, squareTemperature }
}
