export interface NextToken {
  readonly token: string
  readonly teacher: number
  readonly student: number
}

/** The tokens that the teacher finds likeliest after some text, with their probability by both. */
export function nextTokens(
  taught: ArrayLike<number>,
  learnt: ArrayLike<number>,
  { vocabSize, most, decode }: { vocabSize: number; most: number; decode: (ids: readonly number[]) => string },
): NextToken[] {
  const [teacher, student] = [softmax(taught, vocabSize), softmax(learnt, vocabSize)]
  const likeliest = Array.from(teacher.keys()).sort((a, b) => teacher[b]! - teacher[a]! || a - b)
  return likeliest.slice(0, most).map((id) => ({ token: decode([id]), teacher: teacher[id]!, student: student[id]! }))
}

function softmax(logits: ArrayLike<number>, vocabSize: number): Float64Array {
  const values = Float64Array.from(logits).subarray(0, vocabSize)
  const largest = values.reduce((a, b) => Math.max(a, b))
  const powers = values.map((value) => Math.exp(value - largest))
  const total = powers.reduce((a, b) => a + b)
  return powers.map((power) => power / total)
}
