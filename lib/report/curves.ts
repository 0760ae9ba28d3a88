import { readFile } from 'node:fs/promises'
import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { count, DecodeError, number, object, optional } from './decode.ts'

/** One line of a training's `curves` file: losses in nats per token. */
export interface CurvePoint {
  readonly step: number
  readonly epoch?: number
  /** What was minimised: alpha · T² · kl + (1 − alpha) · ce. */
  readonly loss: number
  readonly ce?: number
  readonly kl?: number
  readonly rate: number
  readonly gradNorm: number
  /** Cross-entropy on the validation split, where it was measured. */
  readonly validationLoss?: number
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
    kl: optional(number),
    rate: number,
    gradNorm: number,
    validationLoss: optional(number),
  },
  'ignored',
)
