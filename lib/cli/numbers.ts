import { InvalidArgumentError } from 'commander'

const numberWhere = (holds: (value: number) => boolean, expected: string) => (text: string) => {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!holds(value)) throw new InvalidArgumentError(`Expected ${expected}.`)
  return value
}

/** What turns the text of an option into its number, for commander. */
export const positive = numberWhere((value) => Number.isSafeInteger(value) && value >= 1, 'a whole number from 1')
export const whole = numberWhere((value) => Number.isSafeInteger(value) && value >= 0, 'a whole number from 0')
export const fromZero = numberWhere((value) => value >= 0 && value < Infinity, 'a number from 0')
export const share = numberWhere((value) => value > 0 && value <= 1, 'a number above 0 and at most 1')
