import type { Figure } from '../figures.ts'
import { markdownTable, NONE } from './markdown.ts'

/** What the bench "backends" found, a row an engine. Nothing where it was not run. */
export function engineTable(bench: { readonly figures: readonly Figure[] } | undefined): string[] {
  if (bench === undefined) return []
  const names = [...new Set(bench.figures.flatMap(({ engine }) => engine?.name ?? []))]
  const rows = names.map((name) => {
    const of = (what: string): string | undefined => {
      const found = bench.figures.find(({ engine }) => engine?.name === name && engine.what === what)
      return found && `${Number(found.ours.toPrecision(3)).toLocaleString('en')} ${found.unit}`
    }
    const limit = of(NOT_ONE)
    return [
      `\`${name}\``,
      of(STEP) ?? (limit === undefined ? NONE : `more than ${limit}`),
      of(IN_STEP) ?? NONE,
      of(ALONE) ?? NONE,
    ]
  })
  const head = ['engine', 'a training step of a small GPT', 'its products, in the step', 'products alone']
  return ['Its engines side by side (`backends`):', markdownTable(head, rows)]
}

/** What the bench measures of an engine. */
export const [STEP, IN_STEP, ALONE, NOT_ONE] = ['a step', 'products in a step', 'products alone', 'no step was done in'] // prettier-ignore
