import { Failure } from '../util/failure.ts'
import { nearest } from '../util/nearest.ts'
import type { GptConfig } from './config.ts'
import { weightShapes } from './weights.ts'

/**
 * The weights that do not learn: all whose names one of the patterns is, in which `*` stands for any characters. The
 * token embedding, where it is tied, is the output head too. Throws Failure FREEZE_UNKNOWN, FREEZE_ALL.
 */
export function frozenWeights(config: GptConfig, patterns: readonly string[]): string[] {
  const names = [...weightShapes(config).keys()]
  const found = patterns.map((pattern) => matching(names, pattern))
  const frozen = names.filter((name) => found.some((some) => some.has(name)))
  if (frozen.length < names.length) return frozen
  throw new Failure(
    'FREEZE_ALL',
    'All weights are frozen by `freeze`: nothing is left that could learn. Leave some out.',
  )
}

/** How many of the first layers give the same whatever is learnt: they and the embeddings are frozen. */
export function fixedLayers({ layers, ...config }: GptConfig, frozen: readonly string[]): number {
  const below = (count: number): string[] =>
    [...weightShapes({ ...config, layers: count }).keys()].filter(
      (name) => !/^transformer\.ln_f\.|^lm_head\./.test(name),
    )
  const fixed = (count: number): boolean => below(count).every((name) => frozen.includes(name))
  let count = 0
  while (count < layers && fixed(count + 1)) count++
  return count
}

function matching(names: readonly string[], pattern: string): Set<string> {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
  const wanted = new RegExp(`^${parts.join('.*')}$`)
  const found = names.filter((name) => wanted.test(name))
  if (found.length > 0) return new Set(found)
  const near = nearest(pattern, [...names, ...names.flatMap(groupsOf)])
  const meant = near === undefined ? `Names are like "${names[2]}".` : `Did you mean "${near}"?`
  throw new Failure(
    'FREEZE_UNKNOWN',
    `\`freeze\` holds "${pattern}", which is the name of no weight of the model. ${meant}`,
  )
}

/** `transformer.*`, `transformer.h.*`, `transformer.h.0.*` … */
function groupsOf(name: string): string[] {
  const parts = name.split('.')
  return parts.slice(1).map((_, n) => `${parts.slice(0, n + 1).join('.')}.*`)
}
