import { readFile } from 'node:fs/promises'
import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { count, DecodeError, list, number, object, text } from './decode.ts'

/** What the agreement stage says of one model: the content of its file. Logarithms are natural. */
export interface AgreementReport {
  readonly tokens: number
  /** Mean KL(teacher ‖ model) of the next token at temperature 1. */
  readonly kl: number
  /** Share of places where both find the same token likeliest. */
  readonly top1: number
  /** By how many tokens of the row stood before the last one that was seen. */
  readonly positions: readonly {
    readonly from: number
    readonly tokens: number
    readonly kl: number
    readonly top1: number
  }[]
  readonly prompts: readonly Prompt[]
}

export interface Prompt {
  readonly prompt: string
  /** What may follow, the teacher's likeliest first, with its probability by both. */
  readonly next: readonly { readonly token: string; readonly teacher: number; readonly student: number }[]
}

/** Agreements by the cell of the model that is held against the teacher. */
export type Agreements = Readonly<Record<string, AgreementReport>>

/** Codes: AGREEMENT_MISSING, AGREEMENT_INVALID. */
export const readAgreement = async (file: string): Promise<Result<AgreementReport, Failure>> => {
  let source: string
  try {
    source = await readFile(file, 'utf8')
  } catch (cause) {
    const message = `Agreement "${file}" cannot be read: ${(cause as Error).message}`
    return err(new Failure('AGREEMENT_MISSING', message, { cause, exitCode: 1 }))
  }
  try {
    return ok(agreementReport(JSON.parse(source), ''))
  } catch (cause) {
    if (!(cause instanceof DecodeError || cause instanceof SyntaxError)) throw cause
    const message = `Agreement "${file}": ${cause.message}. Run the stage that wrote it again.`
    return err(new Failure('AGREEMENT_INVALID', message, { cause, exitCode: 1 }))
  }
}

const position = object<AgreementReport['positions'][number]>({ from: count, tokens: count, kl: number, top1: number })
const next = object<Prompt['next'][number]>({ token: text, teacher: number, student: number })
const agreementReport = object<AgreementReport>({
  ...{ tokens: count, kl: number, top1: number },
  positions: list(position),
  prompts: list(object<Prompt>({ prompt: text, next: list(next) })),
})
