import type { Program } from '../engine/engine.ts'
import { Failure } from '../util/failure.ts'
import { compileAccumulate, compileApply, compileStep, compileValidation } from './steps.ts'
import type { StepShape } from './steps.ts'
import type { TrainInputs, TrainOptions } from './train.ts'

export interface Programs {
  /** One program for the whole step, or one a micro-batch and one that applies what they added up. */
  readonly gradient: Program
  readonly apply: Program | undefined
  readonly validate: Program
}

/** Who compiles them disposes of them. Throws Failure ACCUMULATE_UNEVEN. */
export async function compilePrograms(
  { engine, config, teacher }: TrainInputs,
  options: TrainOptions,
): Promise<Programs> {
  const { accumulate, batch, chunk, clip, context, optimizer } = options
  if (batch % accumulate !== 0) {
    const message = `\`batch\` is ${batch} rows, which cannot be cut into ${accumulate} equal micro-batches. Change \`accumulate\` to a divisor.`
    throw new Failure('ACCUMULATE_UNEVEN', message)
  }
  const head = teacher?.head.shape
  const teacherHead = head ? ([head[0]!, head[1]!] as const) : undefined
  const shape: StepShape = { config, rows: batch / accumulate, context, chunk, teacherHead, optimizer, clip }
  return {
    gradient: await (accumulate === 1 ? compileStep : compileAccumulate)(engine, shape),
    apply: accumulate === 1 ? undefined : await compileApply(engine, shape),
    validate: await compileValidation(engine, shape),
  }
}

export async function disposePrograms({ gradient, apply, validate }: Programs): Promise<void> {
  await Promise.all([gradient.dispose(), apply?.dispose(), validate.dispose()])
}
