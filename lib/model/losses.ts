import {
  add,
  after,
  concat,
  constant,
  div,
  exp,
  less,
  logSoftmax,
  matmul,
  maximum,
  mul,
  slice,
  sub,
  sum,
  takeAlong,
  putAlong,
  withGradient,
  cast,
} from '../graph/index.ts'
import type { Shape, Tensor } from '../graph/index.ts'
import { column } from './losses/divergence.ts'
import type { Divergence, LossName, MixtureSettings, PerToken } from './losses/divergence.ts'
import { divergences } from './losses/divergences.ts'
import { sparseKl } from './losses/sparse.ts'
import type { SparseTeacher } from './losses/sparse.ts'

// N tokens · C width of the student · D width of the teacher · V vocabulary of the student · W that of the teacher · U the
// smaller of the two · K tokens in a chunk

export interface LossInputs {
  /** (N, C) the student's final hidden states. */
  readonly hidden: Tensor
  /** (V, C) the student's head. */
  readonly head: Tensor
  /** (N) int32: the token that follows; negative where none is to be learnt from. */
  readonly labels: Tensor
  readonly teacher?: Taught
}

type Taught = Guidance & (WholeTeacher | SparseTeacher)

/** How a teacher counts. */
interface Guidance {
  /** Scalars, given at each run: a schedule needs no new graph. */
  readonly temperature: Tensor
  readonly alpha: Tensor
  readonly objective: Objective
}

/** A teacher whose logits are known, of all its tokens. */
export interface WholeTeacher {
  /** (N, D) the teacher's final hidden states. */
  readonly hidden: Tensor
  /** (W, D) the teacher's head; rows past V are tokens that the student does not have: −∞ in the student. */
  readonly head: Tensor
}

/** What the student is to minimise of its distance to the teacher: of a sparse one, forward KL alone. */
export interface Objective extends MixtureSettings {
  /** By name, above 0; at least one. Terms are added up in this order. */
  readonly weights: Readonly<Partial<Record<LossName, number>>>
  /** Whether what is softened counts T² times: else its gradient is about T² times smaller. */
  readonly squareTemperature: boolean
}

export interface LossOptions {
  /**
   * (scalar) divides the sums instead of the number of valid tokens: micro-batches of uneven size add up to the one batch
   * they were cut from.
   */
  readonly weight?: Tensor
  /** Of what the gradient will be asked for: each chunk then waits for those of the one before, and takes its memory. */
  readonly asked?: readonly Differentiable[]
  /** (scalar) Multiplies the gradient, not the loss, and before it meets a matrix product. */
  readonly scale?: Tensor | undefined
}

/** All are scalars, means over the valid tokens; 0 where no token is valid. */
export interface Loss {
  readonly loss: Tensor
  /** Cross-entropy with the text, in nats. */
  readonly ce: Tensor
  /** Each term of the objective by its name, without its weight and T². None without a teacher. */
  readonly terms: Readonly<Partial<Record<LossName, Tensor>>>
  readonly valid: Tensor
}

/**
 * alpha · Σ w · T² · D(softmax(t/T), softmax(s/T)) + (1 − alpha) · CE(s, label), Hinton et al. 2015 (arXiv:1503.02531) for
 * D = KL(t ‖ s), with logits s = hidden · headᵀ that exist only a chunk at a time. Terms that take the logits themselves
 * know neither T nor T². The gradient with respect to the student's logits is in closed form:
 * alpha · Σ w · T · dz + (1 − alpha) · (softmax(s) − onehot(label)), dz that of D with respect to s/T.
 */
export function distillLoss(inputs: LossInputs, chunk: number, { weight, asked = [], scale }: LossOptions = {}): Loss {
  const N = inputs.labels.shape[0]!
  const valid = sum(cast(less(-1, inputs.labels), 'float32'))
  const divisor = maximum(weight ?? valid, 1)
  const parts: Chunk[] = []
  for (let start = 0; start < N; start += chunk) {
    const before = parts.at(-1)
    const inTurn: InTurn = (x) => (before ? asked.reduce((y, which) => after(y, before.gradient[which]), x) : x)
    const part = lossOfChunk(inputs, divisor, { start, K: Math.min(chunk, N - start), inTurn, scale })
    parts.push(before ? addedOnto(before, part) : part)
  }
  const loss = total(parts.map((part) => part.loss))
  const result = withGradient(loss, [
    [
      inputs.hidden,
      concat(
        parts.map((part) => part.gradient.hidden),
        0,
      ),
    ],
    [inputs.head, parts.at(-1)!.gradient.head],
  ])
  const terms = parts[0]!.terms.map(({ name }, i) => [name, total(parts.map((part) => part.terms[i]!.value))])
  return {
    loss: result,
    ce: total(parts.map((part) => part.ce)),
    terms: Object.fromEntries(terms) as Loss['terms'],
    valid,
  }
}

/** Whether the loss has a use for the temperature: a graph has no input that nothing reads. */
export const takesTemperature = ({ weights }: Objective): boolean =>
  namesOf(weights).some((name) => divergences[name].takes === 'log-probs')

interface Chunk {
  readonly loss: Tensor
  readonly ce: Tensor
  readonly terms: readonly Term[]
  /** (K, C) and (V, C): the latter is the sum over this chunk and those before. */
  readonly gradient: Readonly<Record<Differentiable, Tensor>>
}

type Differentiable = 'hidden' | 'head'

/** x, not before the chunk that came before is done with. */
type InTurn = (x: Tensor) => Tensor

/** Which tokens, and when. */
interface Part {
  readonly start: number
  readonly K: number
  readonly inTurn: InTurn
  readonly scale: Tensor | undefined
}

/** A part of the loss: factor · value, whose gradient with respect to the logits is slope · gradient. */
interface Term {
  readonly name: LossName
  readonly value: Tensor
  readonly factor: Tensor
  readonly gradient: Tensor // (K, V)
  readonly slope: Tensor
}

function lossOfChunk(inputs: LossInputs, divisor: Tensor, part: Part): Chunk {
  const { head, teacher } = inputs
  const { start, K, inTurn, scale } = part
  const scaled = (slope: Tensor): Tensor => (scale ? mul(slope, scale) : slope)
  const hidden = inTurn(rows(inputs.hidden, start, K)) // (K, C)
  const labels = slice(inputs.labels, [start], [K])
  const share = div(cast(less(-1, labels), 'float32'), divisor) // (K): of each token in the mean
  const logits = matmul(hidden, head, { transposeB: true }) // (K, V)
  const hard = crossEntropy(logits, maximum(labels, 0), share)
  if (!teacher) {
    const gradient = mul(hard.gradient, after(scaled(constant(1)), hard.ce))
    return { loss: hard.ce, ce: hard.ce, terms: [], gradient: back(gradient, hidden, head) }
  }
  const terms = termsOf(logits, teacher, part, share)
  const rest = sub(1, teacher.alpha)
  const loss = add(total(terms.map(({ factor, value }) => mul(factor, value))), mul(rest, hard.ce))
  // after the loss: what that alone still needs of the chunk would be kept while the others run
  const soft = terms.map(({ gradient, slope }) => mul(gradient, after(scaled(slope), loss)))
  const gradient = add(total(soft), mul(hard.gradient, after(scaled(rest), loss)))
  return { loss, ce: hard.ce, terms, gradient: back(gradient, hidden, head) }
}

/** d CE / d logits = softmax − onehot */
function crossEntropy(logits: Tensor, labels: Tensor, share: Tensor): { ce: Tensor; gradient: Tensor } {
  const V = logits.shape[1]!
  const logProbs = logSoftmax(logits) // (K, V)
  const ce = sub(0, sum(mul(takeAlong(logProbs, labels), share)))
  return { ce, gradient: sub(mul(exp(logProbs), column(share)), putAlong(labels, share, V)) }
}

function termsOf(logits: Tensor, teacher: Taught, part: Part, share: Tensor): Term[] {
  const distance = 'ids' in teacher ? sparseDistance(logits, teacher, part.start) : wholeDistance(logits, teacher, part)
  return namesOf(teacher.objective.weights).map((name) => {
    const { values, gradient } = distance(name)
    const value = sum(mul(values, share))
    return { name, value, gradient: mul(gradient, column(share)), ...scalesOf(name, teacher) }
  })
}

type Distance = (name: LossName) => PerToken

function wholeDistance(logits: Tensor, teacher: Guidance & WholeTeacher, part: Part): Distance {
  const { temperature, objective } = teacher
  const known = teacherLogits(teacher, part, logits.shape[1]!) // (K, U)
  const logProbs = {
    student: logSoftmax(div(logits, temperature)), // (K, V) each
    teacher: logSoftmax(div(withUnknown(known, logits.shape), temperature)),
  }
  return (name) => {
    const divergence: Divergence = divergences[name]
    return divergence.takes === 'logits'
      ? divergence.of({ student: logits, teacher: known })
      : divergence.of(logProbs, objective)
  }
}

function sparseDistance(logits: Tensor, teacher: Guidance & SparseTeacher, start: number): Distance {
  return (name) => {
    if (name === 'forward-kl') return sparseKl(logits, teacher, teacher.temperature, start)
    throw new Error(`Internal error: a few tokens of the teacher do not tell its ${name}`)
  }
}

/** Of what is softened d (logits / T) = d logits / T. */
function scalesOf(name: LossName, { alpha, temperature, objective }: Guidance): Pick<Term, 'factor' | 'slope'> {
  const { weights, squareTemperature } = objective
  const scaled = (factor: Tensor, slope: Tensor): Pick<Term, 'factor' | 'slope'> => ({
    factor: mul(factor, weights[name]!),
    slope: mul(slope, weights[name]!),
  })
  if (divergences[name].takes === 'logits') return scaled(alpha, alpha)
  return squareTemperature
    ? scaled(mul(alpha, mul(temperature, temperature)), mul(alpha, temperature))
    : scaled(alpha, div(alpha, temperature))
}

/** (K, U): rows of the head that the student lacks are left out. */
function teacherLogits({ hidden, head }: WholeTeacher, { start, K, inTurn }: Part, V: number): Tensor {
  const [W, D] = head.shape as readonly [number, number]
  const shared = W > V ? slice(head, [0, 0], [V, D]) : head
  return matmul(inTurn(rows(hidden, start, K)), shared, { transposeB: true })
}

/** (K, U) to (K, V): tokens that the teacher lacks have no probability. */
function withUnknown(logits: Tensor, [K, V]: Shape): Tensor {
  const U = logits.shape[1]!
  return U < V! ? concat([logits, constant(-1e9, [K!, V! - U])], 1) : logits
}

function back(gradient: Tensor, hidden: Tensor, head: Tensor): Chunk['gradient'] {
  return { hidden: matmul(gradient, head), head: matmul(gradient, hidden, { transposeA: true }) }
}

/** The head's gradient is summed on the way: a sum of all at the end would keep each chunk's until then. */
function addedOnto(before: Chunk, part: Chunk): Chunk {
  return { ...part, gradient: { ...part.gradient, head: add(before.gradient.head, part.gradient.head) } }
}

const namesOf = (weights: Objective['weights']): LossName[] => Object.keys(weights) as LossName[]
const rows = (x: Tensor, start: number, K: number): Tensor => slice(x, [start, 0], [K, -1])
const total = (terms: readonly Tensor[]): Tensor => terms.reduce((a, b) => add(a, b))
