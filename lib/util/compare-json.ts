import { isRecord } from './json.ts'
import { differs, isNear } from './tolerance.ts'
import type { Compared, Tolerance } from './tolerance.ts'

const LONGEST = 60

/** Holds one JSON value against the one expected: numbers within the tolerance, all else the same. */
export function compareJson(expected: unknown, found: unknown, tolerance: Tolerance, place = ''): Compared {
  if (typeof expected === 'number' && typeof found === 'number') {
    if (!isNear(found, expected, tolerance)) return differs(place, String(expected), String(found))
    return { within: true, largest: expected === found ? 0 : Math.abs(found - expected) }
  }
  if (Array.isArray(expected) && Array.isArray(found)) return compareLists(expected, found, tolerance, place)
  if (isRecord(expected) && isRecord(found)) return compareObjects(expected, found, tolerance, place)
  return expected === found ? { within: true, largest: 0 } : differs(place, text(expected), text(found))
}

function compareLists(
  expected: readonly unknown[],
  found: readonly unknown[],
  tolerance: Tolerance,
  place: string,
): Compared {
  const inner = expected.map(
    (value, i) => (): Compared =>
      i < found.length
        ? compareJson(value, found[i], tolerance, `${place}[${i}]`)
        : differs(`${place}[${i}]`, text(value), 'none'),
  )
  const more = found.length > expected.length
  const extra = (): Compared => differs(`${place}[${expected.length}]`, 'none', text(found[expected.length]))
  return firstOf(more ? [...inner, extra] : inner)
}

function compareObjects(
  expected: Record<string, unknown>,
  found: Record<string, unknown>,
  tolerance: Tolerance,
  place: string,
): Compared {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])]
  return firstOf(
    names.map((name) => (): Compared => {
      const at = place === '' ? name : `${place}.${name}`
      if (Object.hasOwn(expected, name) && Object.hasOwn(found, name))
        return compareJson(expected[name], found[name], tolerance, at)
      return Object.hasOwn(expected, name)
        ? differs(at, text(expected[name]), 'none')
        : differs(at, 'none', text(found[name]))
    }),
  )
}

/** The first that is beyond, or the largest distance of all. */
export function firstOf(comparisons: Iterable<() => Compared>): Compared {
  let largest = 0
  for (const compare of comparisons) {
    const compared = compare()
    if (!compared.within) return compared
    largest = Math.max(largest, compared.largest)
  }
  return { within: true, largest }
}

function text(value: unknown): string {
  const json = JSON.stringify(value)
  return json.length > LONGEST ? `${json.slice(0, LONGEST - 1)}…` : json
}
