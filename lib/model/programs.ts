import type { Feeds, Memory, Program, TensorValue } from '../engine/engine.ts'
import { Failure } from '../util/failure.ts'
import { compileAccumulate, compileApply, compileFixed, compileStep, compileValidation } from './steps.ts'
import type { StepShape } from './steps.ts'
import type { TrainInputs, TrainOptions } from './train.ts'

export interface Programs {
  /** One program for the whole step, or one a micro-batch and one that applies what they added up. */
  readonly gradient: Program
  readonly apply: Program | undefined
  readonly validate: Program
  /** The first layers, where they do not learn and what comes out of them is kept. */
  readonly fixed: Program | undefined
}

/** Who compiles them disposes of them. Throws Failure ACCUMULATE_UNEVEN. */
export async function compilePrograms(
  { engine, config, teacher }: TrainInputs,
  options: TrainOptions,
): Promise<Programs> {
  const { accumulate, batch } = options
  if (batch % accumulate !== 0) {
    const message = `\`batch\` is ${batch} rows, which cannot be cut into ${accumulate} equal micro-batches. Change \`accumulate\` to a divisor.`
    throw new Failure('ACCUMULATE_UNEVEN', message)
  }
  const taught = teacher && { ...teacher.shape, objective: teacher.objective }
  const shape: StepShape = { ...options, config, rows: batch / accumulate, teacher: taught }
  return {
    gradient: await (accumulate === 1 ? compileStep : compileAccumulate)(engine, shape),
    apply: accumulate === 1 ? undefined : await compileApply(engine, shape),
    validate: await compileValidation(engine, shape),
    fixed: options.fixed ? await compileFixed(engine, shape) : undefined,
  }
}

export const programsOf = ({ gradient, apply, validate, fixed }: Programs): readonly Program[] =>
  [gradient, apply, validate, fixed].filter((program) => program !== undefined)

export async function disposePrograms(programs: Programs): Promise<void> {
  await Promise.all(programsOf(programs).map((program) => program.dispose()))
}

/** A program with each of these feeds in turn, while those after them are on their way: the last are `following`. */
export async function* runEach(
  program: Program,
  memory: Memory,
  feeds: readonly Feeds[],
  following: () => Feeds | undefined,
): AsyncGenerator<Readonly<Record<string, TensorValue>>> {
  for (const [n, one] of feeds.entries()) {
    const running = program.run(one, memory)
    try {
      const next = program.prefetch && (feeds[n + 1] ?? following())
      if (next) program.prefetch?.(next)
    } catch (cause) {
      await running // its own error comes first, and nothing goes on with the memory while it is used
      throw cause
    }
    yield await running
  }
}
