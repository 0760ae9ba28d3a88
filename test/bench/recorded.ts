import type { Metrics, RecordedExperiment } from '../../bench/readme/recorded.ts'
import type { Verdict } from '../../lib/report/compare.ts'

/** Made-up metrics in which the student's acc is `difference` above the control's 0.4. */
export function makeMetrics(difference: number, p: number, verdict: Verdict): Metrics {
  const against = { a: 'student', b: 'control', p, verdict }
  return {
    models: {
      control: { model: 'GPT-2, 2 layers', parameters: 218_000 },
      student: { model: 'GPT-2, 2 layers', parameters: 218_000 },
      teacher: { model: 'GPT-Neo, 4 layers', parameters: 1_234_567 },
    },
    perplexity: { teacher: 5, control: 12.5, student: 12.5 - difference },
    acc: { teacher: 0.5, control: 0.4, student: 0.4 + difference },
    accNorm: { teacher: 0.6, control: 0.45, student: 0.45 },
    standardError: { acc: { teacher: 0.02, control: 0.021, student: 0.022 }, accNorm: { teacher: 0.019 } },
    comparisons: [
      { ...against, measure: 'acc', difference },
      { ...against, measure: 'perplexity', difference: -difference, p: null, verdict: 'not tested' },
      { ...against, b: 'baseline', measure: 'acc', difference: 0.9, p: 0, verdict: 'better' },
    ],
  }
}

export const recorded: RecordedExperiment = {
  experiment: '0123456789abcdef'.repeat(4),
  machine: '2 × CPU',
  seconds: 83.4,
  metrics: makeMetrics(0.05, 0.02, 'better'),
}
