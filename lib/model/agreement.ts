import type { Split } from '../data/tokens.ts'
import type { Program } from '../engine/engine.ts'
import {
  argMax,
  cast,
  concat,
  equal,
  exp,
  graph,
  input,
  logSoftmax,
  matmul,
  mul,
  reshape,
  slice,
  state,
  sub,
  sum,
} from '../graph/index.ts'
import type { Tensor } from '../graph/index.ts'
import { Rows } from './batches.ts'
import { checkContext } from './config.ts'
import { gpt, headOf, headWeight } from './gpt.ts'
import { checkFinite } from './likelihood.ts'
import type { Running } from './likelihood.ts'
import type { ScoreHooks } from './perplexity.ts'
import { weightState } from './weights.ts'

// B rows · T tokens in a row · V tokens of the tokenizer · C and D width of the student and the teacher

/** How near a student's distributions of the next token lie to its teacher's, on text that neither learnt from. */
export interface Agreement {
  readonly tokens: number
  /** Mean KL(teacher ‖ student) at temperature 1, nats. */
  readonly kl: number
  /** Share of places where both find the same token likeliest. */
  readonly top1: number
  /** The same by the place in the row, in groups twice as long each: 0, 1, 2 to 3, 4 to 7, … */
  readonly positions: readonly PositionAgreement[]
}

export interface PositionAgreement {
  /** Tokens that the models had seen before the last one, at least. */
  readonly from: number
  readonly tokens: number
  readonly kl: number
  readonly top1: number
}

export interface AgreementOptions {
  readonly context: number
  /** Rows at once: of no effect on the result. */
  readonly batch: number
  /** Tokens of the split that are used, from its beginning; 0 for all. */
  readonly tokens: number
  /** Of the tokenizer; rows of a head past it stand for nothing. */
  readonly vocabSize: number
}

/** Tokens whose logits exist at once. */
const chunk = 512
/** The teacher's head in the student's memory. */
const teacherHead = 'teacher.head'

/** Throws Failure CONTEXT_TOO_LONG, SCORE_NOT_FINITE. The teacher's head stays in the student's memory. */
export async function agreementOf(
  teacher: Running,
  student: Running,
  split: Split,
  options: AgreementOptions,
  { signal, onProgress }: ScoreHooks,
): Promise<Agreement> {
  for (const { config } of [teacher, student]) checkContext(config, options.context)
  const ids = options.tokens > 0 ? split.ids.subarray(0, Math.max(options.tokens, 2)) : split.ids
  const rows = new Rows({ ...split, ids, documents: split.documents.filter((at) => at < ids.length) }, options.context)
  const size = Math.min(options.batch, rows.windows.length)
  student.memory.write(teacherHead, await teacher.memory.read(headWeight(teacher.config)))
  const programs = await compile(teacher, student, size, options)
  const count = new Count()
  try {
    for (let start = 0; start < rows.windows.length; start += size) {
      signal.throwIfAborted()
      const indices = Array.from({ length: size }, (_, row) => start + row)
      const { tokens, labels } = rows.feeds(indices)
      const { hidden } = await programs.teacher.run({ tokens }, teacher.memory)
      const { kl, same } = await programs.student.run({ tokens, hidden: hidden! }, student.memory)
      labels.data.forEach((label, i) => {
        if (label >= 0) count.add(i % options.context, kl!.data[i]!, same!.data[i]!)
      })
      onProgress(Math.min(start + size, rows.windows.length), rows.windows.length)
      await new Promise(setImmediate)
    }
  } finally {
    await Promise.all([programs.teacher.dispose(), programs.student.dispose()])
  }
  return count.result()
}

interface Programs {
  /** tokens (B, T) to hidden (B·T, D) */
  readonly teacher: Program
  /** tokens (B, T) and hidden (B·T, D) to kl (B·T) and same (B·T) int32 */
  readonly student: Program
}

async function compile(
  teacher: Running,
  student: Running,
  size: number,
  { context, vocabSize }: AgreementOptions,
): Promise<Programs> {
  const hiddenOf = ({ config }: Running): Tensor => {
    const tokens = input('tokens', [size, context], 'int32')
    return reshape(gpt(config, weightState(config), { tokens }), [-1, config.width])
  }
  const { width, vocabSize: rows } = teacher.config
  const from = {
    hidden: input('hidden', [size * context, width]),
    head: state(teacherHead, [rows, width]),
  }
  const to = { hidden: hiddenOf(student), head: headOf(student.config, weightState(student.config)) }
  const [kl, same]: [Tensor[], Tensor[]] = [[], []]
  for (let start = 0; start < size * context; start += chunk) {
    const logits = ({ hidden, head }: typeof from): Tensor => {
      const some = slice(hidden, [start, 0], [Math.min(chunk, size * context - start), -1])
      return matmul(some, slice(head, [0, 0], [vocabSize, -1]), { transposeB: true }) // (K, V)
    }
    const [taught, learnt] = [logits(from), logits(to)]
    const [target, found] = [logSoftmax(taught), logSoftmax(learnt)]
    kl.push(sum(mul(exp(target), sub(target, found)), [1]))
    same.push(cast(equal(argMax(taught), argMax(learnt)), 'int32'))
  }
  const outputs = { kl: concat(kl, 0), same: concat(same, 0) }
  return {
    teacher: await teacher.engine.compile(graph({ outputs: { hidden: hiddenOf(teacher) } })),
    student: await student.engine.compile(graph({ outputs })),
  }
}

interface Sums {
  readonly tokens: number
  readonly kl: number
  readonly same: number
}
const none: Sums = { tokens: 0, kl: 0, same: 0 }
const plus = (a: Sums, b: Sums): Sums => ({ tokens: a.tokens + b.tokens, kl: a.kl + b.kl, same: a.same + b.same })

class Count {
  /** By the first position of each group. */
  readonly #groups = new Map<number, Sums>()

  add(position: number, kl: number, same: number): void {
    checkFinite([kl])
    const from = position === 0 ? 0 : 2 ** Math.floor(Math.log2(position))
    this.#groups.set(from, plus(this.#groups.get(from) ?? none, { tokens: 1, kl, same }))
  }

  result(): Agreement {
    const means = ({ tokens, kl, same }: Sums) => ({ tokens, kl: kl / tokens, top1: same / tokens })
    const groups = [...this.#groups].sort(([a], [b]) => a - b)
    const all = groups.reduce((sum, [, group]) => plus(sum, group), none)
    return { ...means(all), positions: groups.map(([from, group]) => ({ from, ...means(group) })) }
  }
}
