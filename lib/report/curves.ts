import { readFile } from 'node:fs/promises'
import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { count, DecodeError, number, object, optional, record } from './decode.ts'

/** One line of a training's `curves` file: losses are means per token, in nats unless a term is something else. */
export interface CurvePoint {
  readonly step: number
  readonly epoch?: number
  /** What was minimised: of a distillation a weighted sum of `terms` and `ce`. */
  readonly loss: number
  readonly ce?: number
  /** Of the distance to the teacher, by name, without weights. */
  readonly terms?: Readonly<Record<string, number>>
  readonly rate: number
  readonly gradNorm: number
  /** Cross-entropy on the validation split, where it was measured. */
  readonly validationLoss?: number
  /** Share of the questions that were asked while it trained. */
  readonly accNorm?: number
}

/** Reads JSON lines of CurvePoint. Codes: CURVES_MISSING, CURVES_INVALID. */
export const readCurves = async (file: string): Promise<Result<readonly CurvePoint[], Failure>> => {
  let source: string
  try {
    source = await readFile(file, 'utf8')
  } catch (cause) {
    return err(
      new Failure('CURVES_MISSING', `Curves "${file}" cannot be read: ${(cause as Error).message}`, {
        cause,
        exitCode: 1,
      }),
    )
  }
  const points: CurvePoint[] = []
  for (const [index, line] of source.split('\n').entries()) {
    if (line.trim() === '') continue
    try {
      points.push(curvePoint(JSON.parse(line), ''))
    } catch (cause) {
      if (!(cause instanceof DecodeError || cause instanceof SyntaxError)) throw cause
      const message = `Curves "${file}", line ${index + 1}: ${cause.message}. Run the training that wrote it again.`
      return err(new Failure('CURVES_INVALID', message, { cause, exitCode: 1 }))
    }
  }
  return ok(points)
}

const curvePoint = object<CurvePoint>(
  {
    step: count,
    epoch: optional(number),
    loss: number,
    ce: optional(number),
    terms: optional(record(number)),
    rate: number,
    gradNorm: number,
    validationLoss: optional(number),
    accNorm: optional(number),
  },
  'ignored',
)
