/** A two-sided 95 % interval where nothing else is said. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/** Quantiles of the standard normal distribution at 0.975 and 0.8 (NIST/SEMATECH e-Handbook, 1.3.6.7.1). */
const Z_95 = 1.959963984540054
const Z_80 = 0.8416212335729143

export const mean = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0) / values.length

/** Standard error of the mean, with n − 1 in the variance; NaN below two values. */
export const standardError = (values: readonly number[]): number => {
  const centre = mean(values)
  const squares = values.reduce((total, value) => total + (value - centre) ** 2, 0)
  return Math.sqrt(squares / (values.length - 1) / values.length)
}

/**
 * Wilson's score interval of a share of `right` out of `count` ≥ 1.
 * E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22:209–212.
 */
export const wilson = (right: number, count: number): Interval => {
  const share = right / count
  const scale = 1 + Z_95 ** 2 / count
  const centre = (share + Z_95 ** 2 / (2 * count)) / scale
  const half = (Z_95 / scale) * Math.sqrt((share * (1 - share)) / count + Z_95 ** 2 / (4 * count ** 2))
  // the bounds at 0 and at all are exact, where rounding would leave a trace
  return { low: right === 0 ? 0 : centre - half, high: right === count ? 1 : centre + half }
}

/**
 * Interval of the ratio Σ values / Σ sizes over drawn clusters (documents): the linearised variance of a ratio estimator,
 * Σ (value − ratio · size)² / (n (n − 1) mean(size)²). W. G. Cochran, Sampling Techniques (1977), 6.4 and 9A.
 */
export const ratioInterval = (values: readonly number[], sizes: readonly number[]): Interval => {
  const ratio = mean(values) / mean(sizes)
  const residuals = values.map((value, i) => value - ratio * sizes[i]!)
  const half = (Z_95 * standardError(residuals)) / mean(sizes)
  return { low: ratio - half, high: ratio + half }
}

/** How two models answered the same items: a 2 × 2 table of counts. */
export interface Paired {
  readonly both: number
  readonly onlyA: number
  readonly onlyB: number
  readonly neither: number
}

export const pair = (a: readonly boolean[], b: readonly boolean[]): Paired => {
  if (a.length !== b.length) throw new Error(`Internal error: ${a.length} and ${b.length} answers cannot be paired`)
  const tally = (x: boolean, y: boolean) => a.filter((right, i) => right === x && b[i] === y).length
  return { both: tally(true, true), onlyA: tally(true, false), onlyB: tally(false, true), neither: tally(false, false) }
}

/**
 * McNemar's exact test, two-sided: under the null each discordant item falls to either side with probability ½,
 * p = min(1, 2 · P(X ≤ min(onlyA, onlyB))), X ~ Binomial(onlyA + onlyB, ½). Without discordant items p = 1.
 * Q. McNemar (1947), Psychometrika 12:153–157; exact form: A. Agresti, Categorical Data Analysis (2013), 11.1.2.
 */
export const mcnemar = ({ onlyA, onlyB }: Paired): number => {
  const discordant = onlyA + onlyB
  // the largest term first, as a logarithm, then the ratios of neighbouring terms: nothing under- or overflows
  const k = Math.min(onlyA, onlyB)
  let term = 1
  let tail = 1
  for (let i = k; i > 0 && term > 1e-20; i--) {
    term *= i / (discordant - i + 1)
    tail += term
  }
  return Math.min(1, 2 * tail * Math.exp(logChoose(discordant, k) - discordant * Math.LN2))
}

/**
 * Interval of the difference of two shares of the same items, share(a) − share(b): the square-and-add method from the
 * two Wilson intervals and the correlation of the answers.
 * R. G. Newcombe (1998), Statistics in Medicine 17:2635–2650, method 10.
 */
export const pairedDifference = (table: Paired): Interval => {
  const { both, onlyA, onlyB, neither } = table
  const count = both + onlyA + onlyB + neither
  const [a, b] = [both + onlyA, both + onlyB]
  const [intervalA, intervalB] = [wilson(a, count), wilson(b, count)]
  const [lowA, highA] = [a / count - intervalA.low, intervalA.high - a / count]
  const [lowB, highB] = [b / count - intervalB.low, intervalB.high - b / count]
  const phi = correlation(table)
  const difference = (onlyA - onlyB) / count
  return {
    low: difference - Math.sqrt(Math.max(0, lowA ** 2 - 2 * phi * lowA * highB + highB ** 2)),
    high: difference + Math.sqrt(Math.max(0, highA ** 2 - 2 * phi * highA * lowB + lowB ** 2)),
  }
}

/**
 * The smallest true difference of two shares that McNemar's test finds with probability 0.8 at the level of 0.05, given
 * the share of discordant items: the positive root δ of δ√n = z₀.₉₇₅ √ψ + z₀.₈ √(ψ − δ²).
 * R. J. Connor (1987), Sample size for testing differences in proportions for the paired-sample design,
 * Biometrics 43:207–211. At most ψ; 0 discordant items tell nothing: NaN.
 */
export const detectableDifference = (count: number, discordant: number): number => {
  if (discordant === 0) return NaN
  const psi = discordant / count
  const half = Z_95 * Math.sqrt(count * psi)
  const root = Math.sqrt(half ** 2 - (count + Z_80 ** 2) * (Z_95 ** 2 - Z_80 ** 2) * psi)
  const delta = (half + root) / (count + Z_80 ** 2)
  return delta <= psi ? delta : psi
}

/**
 * Adjusted p-values of tests made together, in their order: a family without any true difference rejects one with a
 * probability of at most 0.05, however the tests depend on each other.
 * S. Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6:65–70.
 */
export const holm = (ps: readonly number[]): readonly number[] => {
  const adjusted = new Array<number>(ps.length)
  let most = 0
  const rising = ps.map((_, i) => i).sort((a, b) => ps[a]! - ps[b]!)
  rising.forEach((at, rank) => {
    most = Math.max(most, Math.min(1, (ps.length - rank) * ps[at]!))
    adjusted[at] = most
  })
  return adjusted
}

/** Newcombe's φ: the numerator, where positive, less n/2 and not below 0; 0 where a margin is empty. */
const correlation = ({ both, onlyA, onlyB, neither }: Paired): number => {
  const margins = (both + onlyA) * (onlyB + neither) * (both + onlyB) * (onlyA + neither)
  if (margins === 0) return 0
  const product = both * neither - onlyA * onlyB
  const corrected = product > 0 ? Math.max(0, product - (both + onlyA + onlyB + neither) / 2) : product
  return corrected / Math.sqrt(margins)
}

/** ln (n choose k), summed: exact to rounding for the few thousand items that a task has. */
const logChoose = (n: number, k: number): number => {
  let total = 0
  for (let i = 1; i <= k; i++) total += Math.log((n - k + i) / i)
  return total
}
