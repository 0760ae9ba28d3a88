import type { Objective } from './losses.ts'
import type { LossName } from './losses/divergence.ts'

const weight = (description: string) => ({ type: 'number', exclusiveMinimum: 0, description }) as const

/** Each is a number a token; nats where nothing else is said. */
const weights = {
  'forward-kl': weight('KL(teacher ‖ student)'),
  'reverse-kl': weight('KL(student ‖ teacher)'),
  jsd: weight('Jensen–Shannon divergence, generalised by `beta`'),
  'symmetric-kl': weight('the mean of KL(teacher ‖ student) and KL(student ‖ teacher)'),
  'skew-kl': weight('KL(teacher ‖ mixture of both), `skew` of it the teacher'),
  'skew-reverse-kl': weight('KL(student ‖ mixture of both), `skew` of it the student'),
  'total-variation': weight('half the sum of absolute differences of probabilities, 0 to 1'),
  'mse-logits': weight('mean squared difference of the logits as they are, without `temperature`'),
  'argmax-ce': weight("cross-entropy with the teacher's likeliest token, without `temperature`"),
} as const satisfies Record<LossName, object>

const names = Object.keys(weights) as LossName[]

/** What the student minimises of its distance to the teacher, as properties of a stage's JSON schema. */
export const lossProperties = {
  // no choice of schemas, whose every branch would complain: each keyword judges the type that it is for
  loss: {
    type: ['string', 'object'],
    default: 'forward-kl',
    pattern: `^(${names.join('|')})$`,
    additionalProperties: false,
    minProperties: 1,
    properties: weights,
    description: 'the name of a loss, or names with their weights in a sum',
  },
  beta: {
    type: 'number',
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    default: 0.5,
    description: "the teacher's share in the mixture of `jsd`",
  },
  skew: {
    type: 'number',
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    default: 0.1,
    description: 'share of one distribution mixed into the other by the skewed losses',
  },
  squareTemperature: {
    type: 'boolean',
    default: true,
    description: 'softened losses count T² times, so that a new `temperature` leaves their share in the gradient',
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
