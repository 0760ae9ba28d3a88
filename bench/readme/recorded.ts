import type { Comparison, Measure } from '../../lib/report/compare.ts'

type ByModel = Readonly<Record<string, number>>
type Compared = Pick<Comparison, 'a' | 'b' | 'measure' | 'p' | 'difference' | 'verdict'>

/** Of what lib/report/metrics.ts makes, what the README tells. */
export interface Metrics {
  readonly models: Readonly<Record<string, { readonly model: string; readonly parameters: number }>>
  readonly perplexity: ByModel
  readonly acc: ByModel
  readonly accNorm: ByModel
  readonly standardError: { readonly acc: ByModel; readonly accNorm: ByModel }
  readonly comparisons: readonly Compared[]
  /** Where students were swept: by the cell's name. */
  readonly sweep?: { readonly axes: readonly string[]; readonly students: Readonly<Record<string, Swept>> }
}

export interface Swept {
  readonly perplexity: number
  readonly accNorm?: number
  readonly comparisons: readonly Omit<Compared, 'a'>[]
}

/** `bench/results/NAME.metrics.json`: what bench/record.ts writes. */
export interface RecordedExperiment<M = Metrics> {
  readonly experiment: string
  readonly machine: string
  /** The whole run's; null where some results were there already. */
  readonly seconds: number | null
  readonly metrics: M
}

/** `bench/results/seeds.json` */
export interface RecordedSeeds {
  readonly experiments: readonly { readonly seed: number; readonly hash: string; readonly metrics: Metrics }[]
}

/** The distilled student against the control: the question of every run. */
export const studentAgainstControl = ({ comparisons }: Metrics, measure: Measure): Compared | undefined =>
  comparisons.find((one) => one.a === 'student' && one.b === 'control' && one.measure === measure)
