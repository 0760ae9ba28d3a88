import type { Shape } from '../../graph/index.ts'

/** A whole number of a kernel, 0 ≤ value < size, known from a loop's depth on: 0 outside of loops. */
export interface Variable {
  readonly name: string
  readonly size: number
  readonly depth: number
}

/** factor · (variable / stride mod length): a digit of the variable, in mixed radix. */
interface Term {
  readonly variable: Variable
  readonly stride: number
  readonly length: number
  readonly factor: number
}

/**
 * A place along an axis, or in memory: a sum of digits. Reshaping and transposing only take variables apart and join
 * them again, so two places are the same where their sums are.
 */
export interface Coordinate {
  readonly terms: readonly Term[]
  readonly offset: number
}
export type Coordinates = readonly Coordinate[]

/** Quotient and rest. */
export type Divide = (dividend: Coordinate, divisor: number) => readonly [Coordinate, Coordinate]

export const zero: Coordinate = { terms: [], offset: 0 }

export const whole = (variable: Variable): Coordinate =>
  variable.size === 1 ? zero : { terms: [{ variable, stride: 1, length: variable.size, factor: 1 }], offset: 0 }

export const plus = ({ terms, offset }: Coordinate, more: number): Coordinate => ({ terms, offset: offset + more })

/** The place in row-major memory. */
export function flatten(at: Coordinates, shape: Shape): Coordinate {
  const terms: Term[] = []
  let offset = 0
  let stride = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const one = at[axis]!
    const step = stride
    terms.push(...one.terms.map((term) => ({ ...term, factor: term.factor * step })))
    offset += one.offset * step
    stride *= shape[axis]!
  }
  return { terms: joined(terms), offset }
}

/** The place along each axis. `divide` is asked where the sum cannot be taken apart. */
export function unflatten(place: Coordinate, shape: Shape, divide: Divide): Coordinates {
  const at: Coordinate[] = shape.map(() => zero)
  const outermost = shape.findIndex((length) => length > 1)
  let left = place
  for (let axis = shape.length - 1; axis > outermost; axis--) {
    if (shape[axis] === 1) continue
    const [quotient, rest] = dividedExactly(left, shape[axis]!) ?? divide(left, shape[axis]!)
    at[axis] = rest
    left = quotient
  }
  if (outermost >= 0) at[outermost] = left
  return at
}

/** The place along each axis, where it comes apart without a division. */
export function apart(place: Coordinate, shape: Shape): Coordinates | undefined {
  const divisors: number[] = []
  const at = unflatten(place, shape, (_, divisor) => {
    divisors.push(divisor)
    return [zero, zero]
  })
  return divisors.length === 0 ? at : undefined
}

/** For places that are known to come apart. */
export const never: Divide = () => {
  throw new Error('Internal error: a place in memory does not come apart')
}

/** Equal for equal places. */
export const keyOf = ({ terms, offset }: Coordinate): string =>
  [...terms.map((t) => `${t.variable.name}/${t.stride}%${t.length}*${t.factor}`).sort(), offset].join('+')

export const depthOf = (at: Coordinate): number =>
  at.terms.reduce((deepest, { variable }) => Math.max(deepest, variable.depth), 0)

/** As C. */
export function textOf({ terms, offset }: Coordinate): string {
  const parts = terms.map(({ variable: { name, size }, stride, length, factor }) => {
    const quotient = stride === 1 ? name : `${name} / ${stride}`
    const digit = stride * length >= size ? quotient : `${quotient} % ${length}`
    if (digit === name) return factor === 1 ? name : `${name} * ${factor}`
    return factor === 1 ? `(${digit})` : `(${digit}) * ${factor}`
  })
  if (parts.length === 0) return String(offset)
  const sum = parts.join(' + ')
  return offset === 0 ? sum : offset > 0 ? `${sum} + ${offset}` : `${sum} - ${-offset}`
}

/** Neighbouring digits of one variable are one longer digit. */
function joined(terms: readonly Term[]): Term[] {
  const left = [...terms]
  for (let i = 0; i < left.length; i++) {
    const low = left[i]!
    const j = left.findIndex(
      (high) =>
        high.variable === low.variable &&
        high.stride === low.stride * low.length &&
        high.factor === low.factor * low.length,
    )
    if (j < 0) continue
    left[i] = { ...low, length: low.length * left[j]!.length }
    left.splice(j, 1)
    i = -1
  }
  return left.sort((a, b) => b.factor - a.factor)
}

function dividedExactly({ terms, offset }: Coordinate, divisor: number): readonly [Coordinate, Coordinate] | undefined {
  const [quotient, rest]: [Term[], Term[]] = [[], []]
  for (const term of terms) {
    const { stride, length, factor } = term
    const most = divisor / factor // so many values of the digit lie below the divisor
    if (factor % divisor === 0) quotient.push({ ...term, factor: factor / divisor })
    else if (length <= most) rest.push(term)
    else if (Number.isInteger(most) && length % most === 0) {
      rest.push({ ...term, length: most })
      quotient.push({ ...term, stride: stride * most, length: length / most, factor: 1 })
    } else return undefined
  }
  const remainder = ((offset % divisor) + divisor) % divisor
  const greatest = rest.reduce((sum, { length, factor }) => sum + factor * (length - 1), remainder)
  if (greatest >= divisor) return undefined
  return [
    { terms: joined(quotient), offset: (offset - remainder) / divisor },
    { terms: rest, offset: remainder },
  ]
}
