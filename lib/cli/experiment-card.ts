import type { ExperimentRecord } from '../pipeline/experiment.ts'
import { cell } from '../report/cells.ts'
import type { Comparison } from '../report/compare.ts'
import { points, probability, signed } from '../report/format.ts'
import { flatten } from '../util/flatten.ts'
import type { Json, JsonObject } from '../util/json.ts'
import { isRecord } from '../util/json.ts'
import { numberGroups, short } from './format.ts'

type Rows = readonly (readonly string[])[]

/** How an experiment made its student, as Markdown; `sources` are the student's, the teacher's and the text's. */
export function experimentCard(
  record: ExperimentRecord,
  sources: Readonly<Record<string, string | undefined>>,
): string {
  const parameters = flatten(record.stages['distill']?.with ?? {}).map(([name, value]) => [name, wordOf(value)])
  return [
    `By distil-pipeline: the distilled student of experiment \`${record.hash}\`, recorded ${record.at.slice(0, 10)}.`,
    markdownTable(['made from', ''], [...sourceRows(sources), ['code', codeOf(record)]]),
    markdownTable(['parameter of the training', ''], parameters),
    `### Scores\n\n${scores(record.metrics)}`,
  ].join('\n\n')
}

const wordOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

const sourceRows = (sources: Readonly<Record<string, string | undefined>>): Rows =>
  Object.entries(sources).map(([role, source]) => [role, source ?? 'not known'])

function codeOf({ git: { commit, dirty } }: ExperimentRecord): string {
  if (commit === null) return 'not in git when it ran'
  return `git commit \`${commit}\`${dirty === true ? ', edited' : ''}`
}

function scores(metrics: JsonObject): string {
  const { columns, rows } = numberGroups(metrics)
  if (rows.length === 0) return 'The experiment has no scores.'
  const errors = isRecord(metrics['standardError']) ? metrics['standardError'] : {}
  const table = rows.map(([measure, values]) => [
    measure,
    ...columns.map((column) => score(values[column], isRecord(errors[measure]) ? errors[measure][column] : undefined)),
  ])
  const note = Object.keys(errors).length === 0 ? [] : ['In brackets: the 95 % interval, ± 1.96 standard errors.']
  const compared = comparisonsIn(metrics).filter(({ a }) => a === 'student')
  const lines = compared.map((comparison) => `- ${sentence(comparison)}`).join('\n')
  return [markdownTable(['', ...columns], table), ...note, lines].filter((part) => part !== '').join('\n\n')
}

function score(value: unknown, error: unknown): string {
  if (typeof value !== 'number') return '–'
  if (typeof error !== 'number') return short(value)
  return `${short(value)} (${(value - 1.96 * error).toFixed(3)} to ${(value + 1.96 * error).toFixed(3)})`
}

/** What the report stage found; another pipeline's metrics have none. */
const comparisonsIn = (
  metrics: JsonObject,
): (Omit<Comparison, 'interval'> & { interval: [number, number] | null })[] =>
  Array.isArray(metrics['comparisons'])
    ? (metrics['comparisons'] as never[]).filter((one) => isRecord(one) && 'verdict' in one && 'measure' in one)
    : []

function sentence({
  a,
  b,
  measure,
  difference,
  interval,
  p,
  verdict,
}: ReturnType<typeof comparisonsIn>[number]): string {
  const [show, unit] = measure === 'perplexity' ? [(value: number) => signed(value, 2), ''] : [points, ' points']
  const tested =
    interval === null || p === null ? '' : ` (95 % interval ${interval.map(show).join(' to ')}; ${probability(p)})`
  return `${cell(a).label}, against ${cell(b).words}: ${measure} ${show(difference)}${unit}${tested}: ${verdict}.`
}

function markdownTable(head: readonly string[], rows: Rows): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
