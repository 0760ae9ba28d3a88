/** The models of a comparison, in the order of a reader's interest; other cells of the matrix follow as they come. */
const KNOWN = {
  teacher: { label: 'Teacher', words: 'the teacher', colour: 'var(--teacher)' },
  baseline: { label: 'Student, untouched', words: 'the untouched student', colour: 'var(--baseline)' },
  control: { label: 'Control, no teacher', words: 'the control trained without the teacher', colour: 'var(--control)' },
  student: { label: 'Student, distilled', words: 'the distilled student', colour: 'var(--student)' },
} as const

export interface Cell {
  readonly name: string
  readonly label: string
  /** How a sentence names it. */
  readonly words: string
  /** A CSS colour of the page's style. */
  readonly colour: string
}

export const cell = (name: string): Cell => {
  const known = Object.hasOwn(KNOWN, name) ? KNOWN[name as keyof typeof KNOWN] : undefined
  return { name, ...(known ?? { label: name, words: `\u201c${name}\u201d`, colour: 'var(--other)' }) }
}

/** Known names first and in their order, then the others by code unit. */
export const orderCells = (names: readonly string[]): readonly string[] => {
  const known = Object.keys(KNOWN).filter((name) => names.includes(name))
  return [...known, ...names.filter((name) => !known.includes(name)).sort()]
}

/** Whom each model is measured against: `[a, b]` reads "a against b". The first pair is the question of the run. */
export const pairs = (names: readonly string[]): readonly (readonly [string, string])[] => {
  const asked: (readonly [string, string])[] = [
    ['student', 'control'],
    ['student', 'baseline'],
    ['control', 'baseline'],
    ['teacher', 'student'],
  ]
  const [rival] = rivalsAmong(names)
  const others = names.filter((name) => !Object.hasOwn(KNOWN, name))
  if (rival !== undefined) asked.push(...others.map((name) => [name, rival] as const))
  return asked.filter(([a, b]) => names.includes(a) && names.includes(b))
}

/** Whom a model of any other name is measured against, the more telling one first. */
export const rivalsAmong = (names: readonly string[]): readonly string[] =>
  ['control', 'baseline'].filter((name) => names.includes(name))
