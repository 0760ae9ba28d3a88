import { cell } from '../../lib/report/cells.ts'
import type { Measure } from '../../lib/report/compare.ts'
import { duration, millions, perplexity, points, probability, signed } from '../../lib/report/format.ts'
import { hashWords, markdownTable, NONE, share } from './markdown.ts'
import { studentAgainstControl } from './recorded.ts'
import type { Metrics, RecordedExperiment } from './recorded.ts'

const models = ['teacher', 'baseline', 'control', 'student']
const head = ['model', 'parameters', 'perplexity', 'acc', 'acc_norm']
/** On all 10,042 items of HellaSwag's validation split; perplexity on another text does not compare. */
const published = ['GPT-2 124M, published', '124.4 M', NONE, '0.2859', '0.2955']

export interface Jobs {
  readonly default: RecordedExperiment | undefined
  readonly wikitext: RecordedExperiment | undefined
  readonly builtin: RecordedExperiment | undefined
}

/** A heading and a table for each job; `missing` stands where one has not been run. */
export const resultsSection = (jobs: Jobs, missing: string): string =>
  [
    ['### The embedded default', '`npx pipeline run`', job(jobs.default) ?? missing],
    [
      '### Real text: WikiText-2 and HellaSwag',
      '`npx pipeline run -p recipes/wikitext2-small.yaml --set data=DATA`',
      job(jobs.wikitext, [published]) ?? missing,
    ],
    [
      '### How the built-in models were made',
      '`npx pipeline run -p recipes/builtin-models.yaml`',
      job(jobs.builtin) ?? missing,
    ],
  ]
    .flat()
    .join('\n\n')

function job(recorded: RecordedExperiment | undefined, others: readonly string[][] = []): string | undefined {
  if (recorded === undefined) return undefined
  const { experiment, machine, seconds, metrics } = recorded
  const time = seconds === null ? '' : `${duration(seconds)} `
  const rows = models.filter((name) => name in metrics.models).map((name) => row(name, metrics))
  return [
    markdownTable(head, [...rows, ...others]),
    verdict(metrics),
    `Experiment ${hashWords(experiment)}, ${time}on ${machine}.`,
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function row(name: string, metrics: Metrics): string[] {
  const { model, parameters } = metrics.models[name]!
  const measured = (measure: 'acc' | 'accNorm') => {
    const error = metrics.standardError[measure][name]
    return share(metrics[measure][name]) + (error === undefined ? '' : ` ± ${share(error)}`)
  }
  const found = metrics.perplexity[name]
  return [
    `${cell(name).label} (${model})`,
    millions(parameters),
    found === undefined ? NONE : perplexity(found),
    measured('acc'),
    measured('accNorm'),
  ]
}

/** Student against control, by the report's own rule: "better" only where the paired test allows it. */
function verdict(metrics: Metrics): string {
  const told = Object.entries(measures).flatMap(([measure, { name, show }]) => {
    const found = studentAgainstControl(metrics, measure as Measure)
    if (found === undefined) return []
    const test = found.p === null ? '' : ` (${probability(found.p)})`
    return [`${name} ${show(found.difference)}${test}: ${found.verdict}`]
  })
  return told.length === 0 ? '' : `The distilled student against the control: ${told.join('; ')}.`
}

const inPoints = (difference: number): string => `${points(difference)} points`
const measures: Record<Measure, { readonly name: string; readonly show: (difference: number) => string }> = {
  acc: { name: 'acc', show: inPoints },
  accNorm: { name: 'acc_norm', show: inPoints },
  perplexity: { name: 'perplexity', show: (difference) => signed(difference, 2) },
}
