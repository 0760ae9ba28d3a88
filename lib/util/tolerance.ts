/** How far a number may be from the one expected: `absolute + relative · |expected|`, as NumPy's `allclose` has it. */
export interface Tolerance {
  readonly absolute: number
  readonly relative: number
}

export const EXACT: Tolerance = { absolute: 0, relative: 0 }

/** A place in two files at which they are not the same. */
export interface Differing {
  readonly place: string
  readonly expected: string
  readonly found: string
}

/** How two files compare: the first place beyond the tolerance, or how far the numbers are apart at most. */
export type Compared =
  { readonly within: true; readonly largest: number } | { readonly within: false; readonly first: Differing }

/** Whether a number is near enough. NaN is near NaN, and an infinity near itself: the same came out. */
export const isNear = (found: number, expected: number, { absolute, relative }: Tolerance): boolean =>
  Object.is(found, expected) ||
  found === expected ||
  Math.abs(found - expected) <= absolute + relative * Math.abs(expected)

export const differs = (place: string, expected: string, found: string): Compared => ({
  within: false,
  first: { place, expected, found },
})
