import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'

/** What every command that reads pipeline.yaml takes. */
export interface ConfigOptions {
  readonly recipe: readonly string[]
  readonly set: readonly string[]
  readonly json?: boolean
}

export const gather = (value: string, before: readonly string[]): readonly string[] => [...before, value]

export function withConfig(command: Command): Command {
  return withJson(command)
    .addOption(
      new Option('-p, --recipe <file>', 'lay a recipe over pipeline.yaml; may be repeated, later wins')
        .argParser(gather)
        .default([], 'none'),
    )
    .addOption(
      new Option('--set <name=value>', 'set a parameter: distill.temperature=4; may be repeated')
        .argParser(gather)
        .default([], 'none'),
    )
}

export const withJson = (command: Command): Command => command.option('--json', 'print JSON and nothing else')

const numberWhere = (holds: (value: number) => boolean, expected: string) => (text: string) => {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!holds(value)) throw new InvalidArgumentError(`Expected ${expected}.`)
  return value
}

export const positive = numberWhere((value) => Number.isSafeInteger(value) && value >= 1, 'a whole number from 1')
export const whole = numberWhere((value) => Number.isSafeInteger(value) && value >= 0, 'a whole number from 0')

export const portNumber = numberWhere(
  (value) => Number.isSafeInteger(value) && value >= 0 && value < 65536,
  'a whole number from 0 to 65535',
)

export const fromZero = numberWhere((value) => value >= 0 && value < Infinity, 'a number from 0')

export const share = numberWhere((value) => value > 0 && value <= 1, 'a number above 0 and at most 1')

/** `2/8` */
export function shardNumber(text: string): { readonly number: number; readonly of: number } {
  const [, number, of] = (/^([1-9]\d*)\/([1-9]\d*)$/.exec(text) ?? []).map(Number)
  if (number === undefined || of === undefined || number > of) throw new InvalidArgumentError('Expected such as 2/8.')
  return { number, of }
}
