/// <reference lib="dom" />
import { useState } from 'preact/hooks'
import type { Curve, Curves } from '../api.ts'
import { Chart } from './chart.tsx'
import type { Line } from './chart.tsx'
import { strokeOf } from './colours.tsx'

export interface CurvesOf {
  /** How a legend names the experiment; '' where there is one alone. */
  readonly name: string
  readonly curves: Curves
}

/** In the order of a reader's interest; other measures follow as they come. */
const MEASURES: Readonly<Record<string, string>> = {
  validationLoss: 'Loss on the validation split',
  loss: 'Training loss',
  ce: 'Cross-entropy on the training text',
  accNorm: 'Questions answered right (acc_norm)',
  rate: 'Learning rate',
  gradNorm: 'Norm of the gradient, before it is clipped',
}
/** The steps say as much. */
const LEFT_OUT = new Set(['epoch'])

/** A chart for each measure, the lines of all trainings in it. */
export function CurveCharts({ all }: { readonly all: readonly CurvesOf[] }) {
  const [isLog, setLog] = useState(false)
  const stages = [...new Set(all.flatMap(({ curves }) => Object.keys(curves)))]
  const [stage, setStage] = useState('')
  const measures = measuresOf(all)
  if (measures.length === 0) return <p class="quiet">No curves are recorded.</p>
  return (
    <>
      <div class="toolbar">
        {stages.length > 1 ? (
          <label>
            Training{' '}
            <select value={stage} onChange={({ currentTarget }) => setStage(currentTarget.value)}>
              <option value="">all</option>
              {stages.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        ) : null}
        <label>
          <input type="checkbox" checked={isLog} onChange={({ currentTarget }) => setLog(currentTarget.checked)} />
          logarithmic
        </label>
      </div>
      <div class="charts">
        {measures.map((measure) => {
          const lines = linesOf(all, measure, stage)
          if (lines.length === 0) return null
          const all0 = lines.every(({ values }) => values.every((value) => value === null || value > 0))
          return (
            <Chart
              key={measure}
              title={MEASURES[measure] ?? measure}
              along="step"
              lines={lines}
              isLog={isLog && all0}
            />
          )
        })}
      </div>
    </>
  )
}

function measuresOf(all: readonly CurvesOf[]): string[] {
  const found = new Set(all.flatMap(({ curves }) => Object.values(curves).flatMap(({ values }) => Object.keys(values))))
  const known = Object.keys(MEASURES).filter((name) => found.has(name))
  return [...known, ...[...found].filter((name) => !(name in MEASURES) && !LEFT_OUT.has(name)).sort()]
}

function linesOf(all: readonly CurvesOf[], measure: string, chosen: string): Line[] {
  const found = all.flatMap(({ name, curves }) =>
    Object.entries(curves)
      .filter(([stage]) => chosen === '' || stage === chosen)
      .map(([stage, curve]) => ({ name: name === '' ? stage : `${name} ${stage}`, curve })),
  )
  return found.flatMap(({ name, curve }, i) => {
    const line = measured(curve, measure)
    return line === undefined ? [] : [{ name, ...strokeOf(i), ...line }]
  })
}

/** Only the steps at which it was measured. */
function measured({ steps, values }: Curve, measure: string): Pick<Line, 'steps' | 'values'> | undefined {
  const points = (values[measure] ?? []).flatMap((value, i) => (value === null ? [] : [[steps[i]!, value] as const]))
  if (points.length === 0) return undefined
  return { steps: points.map(([step]) => step), values: points.map(([, value]) => value) }
}
