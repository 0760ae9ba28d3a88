import { Failure } from '../util/failure.ts'

/** Throws Failure LOSS_NOT_FINITE where one of the values, by name, is no number. */
export function checkFinite(step: number, values: Readonly<Record<string, number>>): void {
  for (const [what, value] of Object.entries(values)) {
    if (Number.isFinite(value)) continue
    const message = `After step ${step} the ${what} is ${value}. Lower \`rate\` or \`clip\`; a good checkpoint of before, if there is one, is kept.`
    throw new Failure('LOSS_NOT_FINITE', message, { exitCode: 1 })
  }
}
