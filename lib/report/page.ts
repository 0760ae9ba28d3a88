import type { JsonObject } from '../util/json.ts'
import type { Mark } from './charts.ts'
import { agreementSection } from './agreement-section.ts'
import type { Agreements } from './agreement.ts'
import { calibrationSection } from './calibration-section.ts'
import { compareModels } from './compare.ts'
import type { Models } from './compare.ts'
import { curveSection } from './curve-section.ts'
import type { BaselineLine, Curves } from './curve-section.ts'
import { html, raw } from './html.ts'
import type { Html } from './html.ts'
import { agreementMetrics, makeMetrics, sweepMetrics } from './metrics.ts'
import { chance, noteSection } from './note-section.ts'
import { parameterSection } from './parameter-section.ts'
import { sampleSection } from './sample-section.ts'
import { comparisonSection, scoreSection } from './score-section.ts'
import { STYLE } from './style.ts'
import { makeSweep, sweepNotes } from './sweep.ts'
import type { SweepInput } from './sweep.ts'
import { sweepSection } from './sweep-section.ts'
import { scoreRows } from './table.ts'
import { targetSection } from './target-section.ts'
import type { MeasuredTargets } from './targets.ts'
import { evidence, headline, sweepHeadline } from './verdict.ts'

export interface ReportOptions {
  readonly title: string
  /** What the author has to say of this comparison, a paragraph each. */
  readonly notes: readonly string[]
  /** The parameters to show. */
  readonly parameters: JsonObject
  /** Data sets whose training items stand in the training text: `HellaSwag`. */
  readonly trainedOn?: readonly string[]
  readonly baselineLine?: BaselineLine
}

/** What a comparison may have besides. */
export interface MoreInputs {
  readonly sweep?: SweepInput | undefined
  readonly agreements?: Agreements
  readonly targets?: MeasuredTargets | undefined
}

export interface Report {
  /** One self-contained HTML file. */
  readonly page: string
  readonly metrics: JsonObject
}

/** Where a page has room for what belongs to the run (`joinReport`). */
export const RUN_MARK = '<!-- pipeline:run -->'

/**
 * The page and the metrics of a comparison: a pure function of its arguments, the same bytes everywhere.
 * Throws Failure SWEEP_AXES, and SCORES_ITEMS_DIFFER where models were not scored on the same items.
 */
export const makeReport = (models: Models, curves: Curves, options: ReportOptions, more: MoreInputs = {}): Report => {
  const rows = scoreRows(models)
  const comparisons = compareModels(models)
  const { agreements = {} } = more
  const sweep = more.sweep && makeSweep(models, more.sweep)
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>${options.title}</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <main>
          <header>
            <h1>${options.title}</h1>
            <p class="verdict">${sweep ? sweepHeadline(sweep) : headline(comparisons)}</p>
            ${contamination(options.trainedOn ?? [])}
            <ul class="evidence">
              ${evidence(comparisons, rows).map(({ against, sentences }) => html`<li><b>${against}</b> ${sentences}</li>`)}
            </ul>
          </header>
          ${scoreSection(rows, makeMarks(models, options.baselineLine), models)} ${sweep && sweepSection(sweep, rows)}
          ${curveSection(curves, options.baselineLine)} ${targetSection(more.targets)} ${agreementSection(agreements)}
          ${calibrationSection(models)} ${sampleSection(models)} ${comparisonSection(comparisons)}
          ${parameterSection(options.parameters)}
          ${noteSection(models, comparisons, [...options.notes, ...(sweep ? sweepNotes(sweep) : [])])}
        </main>
        <footer>${raw(RUN_MARK)}</footer>
      </body>
    </html> `
  return {
    page: page.markup,
    metrics: {
      ...(options.trainedOn?.length ? { trainedOn: [...options.trainedOn] } : {}),
      ...makeMetrics(rows, comparisons),
      ...agreementMetrics(agreements),
      ...(sweep ? sweepMetrics(sweep) : {}),
    },
  }
}

/** Said beside the headline: a score on a task that was trained on is another thing than one on a new task. */
const contamination = (trainedOn: readonly string[]): Html | undefined =>
  trainedOn.length === 0
    ? undefined
    : html`<p class="caution">
        <b>Trained on the task.</b> Training items of ${trainedOn.join(' and ')} stand in the text that student and
        control were trained on: their scores on questions of that kind do not compare with those of models that never
        saw any.
      </p>`

/** Chance, simple rules scored on the same items, a score from elsewhere: each with a dash of its own. */
const makeMarks = (models: Models, line: ReportOptions['baselineLine']): readonly Mark[] => {
  const scored = Object.values(models).filter((scores) => scores.items !== null)
  const items = scored[0]?.items
  if (items === undefined || items === null) return []
  const rules = scored.find((scores) => scores.baselines !== undefined)?.baselines ?? []
  const marks = [
    { label: 'Guessing', value: chance(items) },
    ...rules.map(({ name, acc }) => ({ label: name, value: acc })),
    ...(line ? [line] : []),
  ]
  const dashes = [
    [2, 3],
    [7, 4],
    [12, 3, 2, 3],
    [1, 6],
  ]
  return marks.map((mark, i) => ({ ...mark, dash: dashes[i % dashes.length]! }))
}
