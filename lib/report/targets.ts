import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { count, DecodeError, list, number, object, text } from './decode.ts'

/** What the form of a teacher's targets costs, in bytes and in truth. */
export interface MeasuredTargets {
  /** With its parameters. */
  readonly form: string
  readonly bytesPerToken: number
  /** Of all logits in half precision. */
  readonly plainBytesPerToken: number
  /** How many tokens the deviations were measured on. */
  readonly tokens: number
  readonly deviations: readonly Deviation[]
}

/** Of a student's gradient from the targets, from that of the whole distribution. */
interface Deviation {
  readonly use: string
  readonly temperature: number
  /** Degrees. */
  readonly angle: number
  readonly normRatio: number
}

/** Reads what stands beside the targets in their folder. Codes: MEASURED_MISSING, MEASURED_INVALID. */
export const readMeasured = async (folder: string): Promise<Result<MeasuredTargets, Failure>> => {
  const file = join(folder, 'measured.json')
  let source: string
  try {
    source = await readFile(file, 'utf8')
  } catch (cause) {
    const message = `"${file}" cannot be read: ${(cause as Error).message}. Run \`teacher-logits\` again: it writes it.`
    return err(new Failure('MEASURED_MISSING', message, { cause, exitCode: 1 }))
  }
  try {
    return ok(measured(JSON.parse(source), ''))
  } catch (cause) {
    if (!(cause instanceof DecodeError || cause instanceof SyntaxError)) throw cause
    const message = `"${file}": ${cause.message}. Run \`teacher-logits\` again: it writes it.`
    return err(new Failure('MEASURED_INVALID', message, { cause, exitCode: 1 }))
  }
}

const measured = object<MeasuredTargets>({
  form: text,
  bytesPerToken: count,
  plainBytesPerToken: count,
  tokens: count,
  deviations: list(object<Deviation>({ use: text, temperature: number, angle: number, normRatio: number })),
})
