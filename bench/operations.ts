interface Shape {
  readonly width: number
  readonly layers: number
  readonly inner: number
  readonly vocabSize: number
}

/** Operations of the products in a training step: forward once, backward twice; attention below the diagonal. */
export function stepProducts({ width, layers, inner, vocabSize }: Shape, tokens: number, context: number): number {
  const matrices = layers * (4 * width ** 2 + 2 * width * inner) + vocabSize * width
  return tokens * (6 * matrices + layers * 6 * context * width)
}
