import { isRecord } from '../../util/json.ts'
import type { Column } from './records.ts'

/** What a targets file keeps of the teacher's distribution at each position. */
export type Form = HiddenForm | SampledForm | TopkForm

/**
 * The final hidden state (after the last layer norm), column `hidden`: the logits at any temperature are this times the
 * teacher's head, so that every loss at every temperature is exact, but for the rounding of `dtype`.
 */
export interface HiddenForm {
  readonly kind: 'hidden'
  readonly dtype: 'F16' | 'I8'
  readonly width: number
}

/**
 * Tokens drawn from softmax(t / temperature), independently: column `ids`, in ascending order, one as often as it was
 * drawn. Each stands for 1/samples of the distribution: draws from the very distribution that is wanted have the same
 * importance weight, and the mean over draws is the whole distribution, at this temperature alone (Anshumann et al.
 * 2025, arXiv:2503.16870). Column `entropy` holds the exact entropy in nats, with which a cross-entropy becomes a
 * divergence. Position p has the same draws in whatever batch.
 */
export interface SampledForm {
  readonly kind: 'sampled'
  /** Ids are below this; the distribution is over as many tokens. */
  readonly vocabulary: number
  readonly samples: number
  readonly temperature: number
  readonly seed: number
}

/**
 * The k most probable tokens, column `ids`, most probable first, of equal ones the lower id; their logits less the
 * largest, column `logits`; and what all other tokens have together at each temperature of the grid, column `tails`. At
 * such a T the probabilities are (1 − tail) · softmax(logits / T): they and the tail add up to 1 whatever the rounding.
 */
export interface TopkForm {
  readonly kind: 'topk'
  readonly vocabulary: number
  readonly k: number
  readonly temperatures: readonly number[]
}

/** The columns of a record, in their order in the file. */
export function layoutOf(form: Form): readonly Column[] {
  switch (form.kind) {
    case 'hidden':
      return [{ name: 'hidden', dtype: form.dtype, width: form.width }]
    case 'sampled':
      return [
        { name: 'entropy', dtype: 'F32', width: 1 },
        { name: 'ids', dtype: idType(form), width: form.samples },
      ]
    case 'topk':
      return [
        { name: 'tails', dtype: 'F32', width: form.temperatures.length },
        { name: 'ids', dtype: idType(form), width: form.k },
        { name: 'logits', dtype: 'F16', width: form.k },
      ]
  }
}

/** For people: `sampled, vocabulary 50257, samples 12, temperature 1, seed 1`. */
export const describeForm = (form: Form): string =>
  [form.kind, ...parametersOf(form).map(([name, value]) => `${name} ${value}`)].join(', ')

/** What it has beside its kind, by name, as text. */
export function parametersOf(form: Form): (readonly [string, string])[] {
  const all = Object.entries<string | number | readonly number[]>({ ...form })
  return all
    .filter(([name]) => name !== 'kind')
    .map(([name, value]) => [name, typeof value === 'object' ? value.join(' ') : `${value}`])
}

export function parseForm(json: unknown): Form | undefined {
  if (!isRecord(json)) return undefined
  const { kind, dtype, width, vocabulary, samples, temperature, seed, k, temperatures } = json
  if (kind === 'hidden') {
    return (dtype === 'F16' || dtype === 'I8') && isSize(width) ? { kind, dtype, width } : undefined
  }
  if (!isSize(vocabulary)) return undefined
  if (kind === 'sampled' && isSize(samples) && isTemperature(temperature) && Number.isSafeInteger(seed)) {
    return { kind, vocabulary, samples, temperature, seed: seed as number }
  }
  if (kind !== 'topk' || !isSize(k) || k > vocabulary || !Array.isArray(temperatures)) return undefined
  return temperatures.length > 0 && temperatures.every(isTemperature)
    ? { kind, vocabulary, k, temperatures }
    : undefined
}

const idType = ({ vocabulary }: SampledForm | TopkForm): 'U16' | 'U32' => (vocabulary <= 65536 ? 'U16' : 'U32')

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0

const isTemperature = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0
