import type { Figure } from '../figures.ts'
import { markdownTable } from './markdown.ts'
import type { Benches } from './speed.ts'

/** WikiText-2 raw's training text in GPT-2's tokens; rows of 1,024, two in a step, three epochs; HellaSwag's items. */
const [tokens, epochs, items] = [2_391_884, 3, 10_042]
const stepTokens = 2048
/** Weights of GPT-Neo-2.7B and GPT-2 124M, and of the teacher's head (50,257 × 2,560). */
const [teacherWeights, studentWeights, headWeights] = [2.65e9, 124e6, 129e6]

/**
 * What the parts of `recipes/gpt2-wikitext2.yaml` take, from the benches on a machine. Operations: two for a weight and a
 * token forwards, four backwards (Kaplan et al. 2020, arXiv:2001.08361, section 2.1); undefined where benches lack.
 */
export function realPairSection(machines: readonly Benches[]): string | undefined {
  const tables = machines.flatMap((benches) => {
    const found = timesOn(benches)
    return found === undefined ? [] : [tableOf(found)]
  })
  return tables.length === 0 ? undefined : tables.join('\n\n')
}

interface Times {
  readonly machine: string
  readonly targets: number
  readonly training: number
  readonly scoring: number
}

/** In seconds. */
function timesOn(benches: Benches): Times | undefined {
  const rate = valueOf(benches, 'teacher', /^targets for .* F32 /)
  const step = valueOf(benches, 'train-step-gpt2', /^time of a step of 2 × 1024 /)
  const score = valueOf(benches, 'score', /^200 items$/)
  if (rate === undefined || step === undefined || score === undefined) return undefined
  const training = ((epochs * tokens) / stepTokens) * step
  return { machine: benches['teacher']!.machine, targets: tokens / rate, training, scoring: items / score }
}

const valueOf = (benches: Benches, bench: string, what: RegExp): number | undefined =>
  benches[bench]?.figures.find((figure: Figure) => what.test(figure.what))?.ours

function tableOf({ machine, targets, training, scoring }: Times): string {
  const learnt = epochs * tokens * (6 * studentWeights + 2 * headWeights)
  const head = ['part', 'operations', `hours on ${machine}`]
  return markdownTable(head, [
    ["the teacher's targets, once for all temperatures", exponent(2 * teacherWeights * tokens), hours(targets)],
    ['the student, three epochs', exponent(learnt), hours(training)],
    ['the control, three epochs', exponent(epochs * tokens * 6 * studentWeights), `at most ${hours(training)}`],
    ['HellaSwag by each of the three small models', '', hours(scoring)],
  ])
}

const hours = (seconds: number): string => (seconds / 3600).toPrecision(2)
const exponent = (value: number): string => value.toExponential(1).replace('e+', ' · 10^')
