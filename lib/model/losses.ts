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
  reshape,
  slice,
  sub,
  sum,
  takeAlong,
  putAlong,
  withGradient,
  cast,
} from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import { sparseKl } from './sparse-losses.ts'
import type { SparseTeacher } from './sparse-losses.ts'

// N tokens · C width of the student · D width of the teacher · V vocabulary · K tokens in a chunk

export interface LossInputs {
  /** (N, C) the student's final hidden states. */
  readonly hidden: Tensor
  /** (V, C) the student's head. */
  readonly head: Tensor
  /** (N) int32: the token that follows; negative where none is to be learnt from. */
  readonly labels: Tensor
  readonly teacher?: Teacher | SparseTeacher
}

export interface Teacher {
  /** (N, D) the teacher's final hidden states. */
  readonly hidden: Tensor
  /** (W, D) the teacher's head; rows past V are tokens that the student does not have: −∞ in the student. */
  readonly head: Tensor
  /** Scalars, given at each run: a schedule needs no new graph. */
  readonly temperature: Tensor
  readonly alpha: Tensor
}

/** All are scalars, means over the valid tokens in nats; 0 where no token is valid. */
export interface Loss {
  readonly loss: Tensor
  /** Cross-entropy with the text. */
  readonly ce: Tensor
  /** KL(teacher ‖ student) of the softened distributions, without T². 0 without a teacher. */
  readonly kl: Tensor
  readonly valid: Tensor
}

/**
 * alpha · T² · KL(softmax(t/T) ‖ softmax(s/T)) + (1 − alpha) · CE(s, label), Hinton et al. 2015 (arXiv:1503.02531),
 * with logits s = hidden · headᵀ that exist only a chunk at a time. The gradient with respect to the student's logits
 * is in closed form: alpha · T · (p_s − p_t) + (1 − alpha) · (softmax(s) − onehot(label)).
 *
 * `weight` (scalar) divides the sums instead of the number of valid tokens: micro-batches of uneven size add up to the
 * one batch they were cut from.
 */
export function distillLoss(inputs: LossInputs, chunk: number, weight?: Tensor): Loss {
  const N = inputs.labels.shape[0]!
  const valid = sum(cast(less(-1, inputs.labels), 'float32'))
  const divisor = maximum(weight ?? valid, 1)
  const parts: Chunk[] = []
  for (let start = 0; start < N; start += chunk) {
    parts.push(lossOfChunk(inputs, divisor, start, Math.min(chunk, N - start)))
  }
  const loss = total(parts.map((part) => part.loss))
  const result = withGradient(loss, [
    [
      inputs.hidden,
      concat(
        parts.map((part) => part.hiddenGradient),
        0,
      ),
    ],
    [inputs.head, total(parts.map((part) => part.headGradient))],
  ])
  return { loss: result, ce: total(parts.map((part) => part.ce)), kl: total(parts.map((part) => part.kl)), valid }
}

interface Chunk {
  readonly loss: Tensor
  readonly ce: Tensor
  readonly kl: Tensor
  readonly hiddenGradient: Tensor // (K, C)
  readonly headGradient: Tensor // (V, C)
}

function lossOfChunk(inputs: LossInputs, divisor: Tensor, start: number, K: number): Chunk {
  const { head, teacher } = inputs
  const hidden = rows(inputs.hidden, start, K) // (K, C)
  const labels = slice(inputs.labels, [start], [K])
  const share = div(cast(less(-1, labels), 'float32'), divisor) // (K): of each token in the mean
  const logits = matmul(hidden, head, { transposeB: true }) // (K, V)
  const hard = crossEntropy(logits, maximum(labels, 0), share)
  if (!teacher) {
    return {
      ...hard,
      kl: constant(0),
      ...back(mul(hard.gradient, after(constant(1), hard.ce)), hidden, head),
      loss: hard.ce,
    }
  }
  const soft = 'kind' in teacher ? sparseKl(logits, teacher, start, share) : forwardKl(logits, teacher, start, share)
  const { alpha, temperature } = teacher
  const rest = sub(1, alpha)
  const softShare = mul(alpha, mul(temperature, temperature))
  const loss = add(mul(softShare, soft.kl), mul(rest, hard.ce))
  // after the loss: what that alone still needs of the chunk would be kept while the others run
  const [softWeight, hardWeight] = [after(mul(alpha, temperature), loss), after(rest, loss)]
  const gradient = add(mul(soft.gradient, softWeight), mul(hard.gradient, hardWeight))
  return { loss, ce: hard.ce, kl: soft.kl, ...back(gradient, hidden, head) }
}

/** d CE / d logits = softmax − onehot */
function crossEntropy(logits: Tensor, labels: Tensor, share: Tensor): { ce: Tensor; gradient: Tensor } {
  const V = logits.shape[1]!
  const logProbs = logSoftmax(logits) // (K, V)
  const ce = sub(0, sum(mul(takeAlong(logProbs, labels), share)))
  return { ce, gradient: sub(mul(exp(logProbs), column(share)), putAlong(labels, share, V)) }
}

/** T · d KL / d logits = softmax(s/T) − softmax(t/T); the factor T joins alpha · T² outside. */
function forwardKl(logits: Tensor, teacher: Teacher, start: number, share: Tensor): { kl: Tensor; gradient: Tensor } {
  const [K, V] = logits.shape as readonly [number, number]
  const student = logSoftmax(div(logits, teacher.temperature)) // (K, V)
  const target = logSoftmax(div(teacherLogits(teacher, start, K, V), teacher.temperature)) // (K, V)
  const probs = exp(target)
  const kl = sum(mul(sum(mul(probs, sub(target, student)), [1]), share))
  return { kl, gradient: mul(sub(exp(student), probs), column(share)) }
}

/** (K, V): rows of the head that the student lacks are left out, tokens that the teacher lacks have no probability. */
function teacherLogits({ hidden, head }: Teacher, start: number, K: number, V: number): Tensor {
  const [W, D] = head.shape as readonly [number, number]
  const shared = W > V ? slice(head, [0, 0], [V, D]) : head
  const logits = matmul(rows(hidden, start, K), shared, { transposeB: true })
  return W < V ? concat([logits, constant(-1e9, [K, V - W])], 1) : logits
}

function back(gradient: Tensor, hidden: Tensor, head: Tensor): Pick<Chunk, 'hiddenGradient' | 'headGradient'> {
  return { hiddenGradient: matmul(gradient, head), headGradient: matmul(gradient, hidden, { transposeA: true }) }
}

const rows = (x: Tensor, start: number, K: number): Tensor => slice(x, [start, 0], [K, -1])
const column = (x: Tensor): Tensor => reshape(x, [-1, 1])
const total = (terms: readonly Tensor[]): Tensor => terms.reduce((a, b) => add(a, b))
