import { same } from './changes.ts'
import { Failure } from '../util/failure.ts'
import type { Json } from '../util/json.ts'
import { findField } from './fields.ts'
import type { Row } from './fields.ts'

type Operator = '=' | '!=' | '<' | '<=' | '>' | '>='

interface Condition {
  readonly field: string
  readonly holds: (values: readonly Json[]) => boolean
}

interface Order {
  readonly field: string
  readonly descending: boolean
}

/** Reads `--where NAME=VALUE`. Throws Failure WHERE_INVALID, FIELD_…. */
export function readCondition(
  text: string,
  fields: readonly string[],
  rows: readonly Pick<Row, 'values'>[],
): Condition {
  const option = `--where '${text}'`
  const [, name, operator, written] = /^\s*([^<>=!]+?)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*$/s.exec(text) ?? []
  if (name === undefined || operator === undefined || written === undefined) {
    const message = `${option} is no condition: write NAME, one of = != < <= > >=, and a value, as in 'distill.temperature=4'.`
    throw new Failure('WHERE_INVALID', message)
  }
  const field = findField(name, fields, option)
  const value = valueOf(written)
  const known = rows.flatMap(({ values }) => values.get(field) ?? [])
  if (
    operator !== '=' &&
    operator !== '!=' &&
    typeof value !== 'number' &&
    known.every((one) => typeof one === 'number')
  ) {
    throw new Failure('WHERE_INVALID', `${option}: "${name}" is a number in every experiment; "${written}" is none.`)
  }
  return { field, holds: (values) => holds(values, operator as Operator, value, written) }
}

/** `4`, `true` and `[1, 2]` are what JSON says; all else is text. */
function valueOf(text: string): Json {
  try {
    const value = JSON.parse(text) as Json
    return value === Infinity || value === -Infinity ? text : value
  } catch {
    return text
  }
}

/** Of an experiment without the field `!=` alone holds. */
function holds(values: readonly Json[], operator: Operator, value: Json, text: string): boolean {
  const equal = (one: Json): boolean => same(one, value) || one === text
  switch (operator) {
    case '=':
      return values.some(equal)
    case '!=':
      return !values.some(equal)
    case '<':
      return values.some((one) => order(one, value, text) < 0)
    case '<=':
      return values.some((one) => order(one, value, text) <= 0)
    case '>':
      return values.some((one) => order(one, value, text) > 0)
    case '>=':
      return values.some((one) => order(one, value, text) >= 0)
  }
}

/** NaN, of which nothing holds, for what cannot be ordered. */
function order(one: Json, value: Json, text: string): number {
  if (typeof one === 'number' && typeof value === 'number') return one - value
  return typeof one === 'string' ? byCodeUnit(one, text) : Number.NaN
}

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Reads `--sort NAME,-NAME`; a comma within the brackets of a cell divides nothing. Throws Failure FIELD_…. */
export function readOrder(text: string, fields: readonly string[]): Order[] {
  return text.split(/,(?![^[]*\])/).map((part) => {
    const name = part.trim()
    const descending = name.startsWith('-')
    return { field: findField(descending ? name.slice(1) : name, fields, `--sort ${text}`), descending }
  })
}

/** What has no value comes last, whatever the direction; equals stay as they were. */
export function sortRows<R extends Pick<Row, 'values'>>(rows: readonly R[], orders: readonly Order[]): R[] {
  return [...rows].sort((a, b) => {
    for (const { field, descending } of orders) {
      const [x, y] = [a, b].map(({ values }) => values.get(field)?.[0])
      if (x === undefined && y === undefined) continue
      if (x === undefined || y === undefined) return x === undefined ? 1 : -1
      const by = rank(x, y)
      if (by !== 0) return descending ? -by : by
    }
    return 0
  })
}

/** Numbers by size, and before all else; the rest by its text. */
function rank(x: Json, y: Json): number {
  if (typeof x === 'number' && typeof y === 'number') return x - y
  if (typeof x === 'number' || typeof y === 'number') return typeof x === 'number' ? -1 : 1
  return byCodeUnit(wordOf(x), wordOf(y))
}

const wordOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))
