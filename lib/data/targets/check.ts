import { Failure } from '../../util/failure.ts'
import type { Result } from '../../util/result.ts'
import { err, ok } from '../../util/result.ts'
import { parametersOf } from './form.ts'
import type { Form } from './form.ts'
import type { TargetsHeader } from './header.ts'

/** What a run expects of its targets; a form of which it has no idea is left out. */
export type TargetsExpected = Omit<TargetsHeader, 'form'> & {
  readonly form?: Form
  /** Of which corpus they are, where there are several. */
  readonly corpus?: string
}

/** What a training asks of its targets. */
interface Lesson {
  /** The names of the losses that are added up. */
  readonly losses: readonly string[]
  /** All that there are in its course. */
  readonly temperatures: readonly number[]
}

/**
 * Refuses targets that were made from another teacher, tokenizer, stream, packing or context than this run's, or in
 * another form: TARGETS_MISMATCH, which names every difference.
 */
export function checkTargets(header: TargetsHeader, expected: TargetsExpected): Result<undefined, Failure> {
  const rows: [string, string | number, string | number | undefined][] = [
    ['teacher', expected.model, header.model],
    ['tokenizer', expected.tokenizer, header.tokenizer],
    ['token stream', expected.stream, header.stream],
    ['context', expected.packing.context, header.packing.context],
    ['stride', expected.packing.stride, header.packing.stride],
    ['attend', expected.attend, header.attend],
    ['rows', expected.count, header.count],
    ...(expected.form ? formRows(expected.form, header.form) : []),
  ]
  const wrong = rows.filter(([, want, have]) => want !== have)
  if (wrong.length === 0) return ok(undefined)
  const list = wrong.map(([what, want, have]) => `${what}: expected ${want}, found ${have}`).join('; ')
  const which = expected.corpus === undefined ? '' : ` of the corpus "${expected.corpus}"`
  const message = `The teacher's targets${which} belong to another run: ${list}. Make them anew from this teacher, tokenizer and packing.`
  return err(new Failure('TARGETS_MISMATCH', message))
}

/** Refuses a training that these targets cannot teach, and says what can: TARGETS_LOSS, TARGETS_TEMPERATURE. */
export function checkLesson(form: Form, { losses, temperatures }: Lesson): Result<undefined, Failure> {
  if (form.kind === 'hidden') return ok(undefined)
  const instead = 'make the targets in the form `hidden`, which serves every loss at every temperature'
  if (losses.some((name) => name !== 'forward-kl')) {
    const message = `Targets of the form \`${form.kind}\` teach the loss \`forward-kl\` alone; \`loss\` is \`${losses.join(' + ')}\`. Take forward-kl, or ${instead}.`
    return err(new Failure('TARGETS_LOSS', message))
  }
  const held = form.kind === 'sampled' ? [form.temperature] : form.temperatures
  const wrong = temperatures.find((one) => !held.includes(one))
  if (wrong === undefined) return ok(undefined)
  const [parameter, why] =
    form.kind === 'sampled'
      ? ['temperature', `were drawn at temperature ${held[0]}, and are the teacher's distribution there alone`]
      : ['temperatures', `hold the tail at the temperatures ${held.join(', ')} alone`]
  const message = `The targets ${why}; \`temperature\` ${temperatures.length === 1 ? 'is' : 'comes to'} ${wrong}. Train at ${held.join(' or ')}, change \`${parameter}\` of \`teacher-logits\`, or ${instead}.`
  return err(new Failure('TARGETS_TEMPERATURE', message))
}

function formRows(expected: Form, found: Form): [string, string, string | undefined][] {
  if (expected.kind !== found.kind) return [['form', expected.kind, found.kind]]
  const theirs = new Map(parametersOf(found))
  return parametersOf(expected).map(([name, value]) => [name, value, theirs.get(name)])
}
