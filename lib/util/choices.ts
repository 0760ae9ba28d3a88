interface Choices<N extends string> {
  readonly enum: readonly N[]
  readonly enumDescriptions: readonly string[]
}

/** The values that a parameter may have, each with its meaning, in a JSON schema: editors and the docs show them. */
export const choices = <const N extends string>(meanings: Readonly<Record<N, string>>): Choices<N> => ({
  enum: Object.keys(meanings) as N[],
  enumDescriptions: Object.values<string>(meanings),
})
