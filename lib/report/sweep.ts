import { Failure } from '../util/failure.ts'
import { rivalsAmong } from './cells.ts'
import { comparePair, judge } from './compare.ts'
import type { Comparison, Measure, Models } from './compare.ts'
import { holm } from './statistics.ts'
import { scoreRows } from './table.ts'
import type { ScoreRow } from './table.ts'

/** Students that differ in their parameters. */
export interface SweepInput {
  /** What differs, in the order in which a cell's name has the values: `temperature`, `alpha` of `2,0.9`. */
  readonly axes: readonly string[]
  /** By the cell of the matrix that scored them. */
  readonly students: Models
}

export interface Sweep {
  readonly axes: readonly string[]
  /** In the order of the matrix. */
  readonly cells: readonly SweepCell[]
  /** Whom each student was measured against. */
  readonly rivals: readonly string[]
}

export interface SweepCell {
  /** One an axis. */
  readonly values: readonly string[]
  readonly row: ScoreRow
  /** Each p is adjusted for all students that were compared with the same rival on the same measure. */
  readonly comparisons: readonly Comparison[]
}

/**
 * Every student against the control and the untouched student, as far as they are there, with Holm's correction over the
 * students. Throws Failure SWEEP_AXES, SCORES_ITEMS_DIFFER.
 */
export const makeSweep = (models: Models, { axes, students }: SweepInput): Sweep => {
  const names = Object.keys(students)
  const rivals = rivalsAmong(Object.keys(models))
  const rows = new Map(scoreRows(students).map((row) => [row.cell.name, row]))
  const corrected = rivals.flatMap((rival) => {
    const made = names.flatMap((name) => comparePair(name, rival, { ...models, ...students }))
    return (['accNorm', 'acc', 'perplexity'] as const).flatMap((measure) => correct(made, measure))
  })
  const cells = names.map((name) => {
    return { values: valuesOf(name, axes), row: rows.get(name)!, comparisons: corrected.filter(({ a }) => a === name) }
  })
  return { axes, rivals, cells }
}

function valuesOf(name: string, axes: readonly string[]): readonly string[] {
  const values = name.split(',')
  if (values.length === axes.length) return values
  const message = `The cell "${name}" of the sweep has ${values.length} values, but \`sweep.axes\` names ${axes.length}: ${axes.join(', ') || 'none'}. Name each axis of the matrix, in its order.`
  throw new Failure('SWEEP_AXES', message)
}

function correct(comparisons: readonly Comparison[], measure: Measure): readonly Comparison[] {
  const family = comparisons.filter((one) => one.measure === measure)
  const ps = holm(family.flatMap(({ p }) => p ?? []))
  let tested = 0
  return family.map((one) => {
    const { interval } = one
    if (one.p === null || interval === null) return one
    const p = ps[tested++]!
    return { ...one, p, verdict: judge(p, interval, measure === 'perplexity' ? 'less' : 'more') }
  })
}

/** How the tests of a sweep are to be read. */
export const sweepNotes = ({ cells, rivals }: Sweep): readonly string[] =>
  rivals.length === 0
    ? []
    : [
        `The sweep\u2019s ${cells.length} students are all held against the same models; their p-values are adjusted by Holm\u2019s method for the number of students, rival by rival and measure by measure. The highest of many scores is high in part by luck: measure a setting that was chosen here on other questions.`,
      ]
