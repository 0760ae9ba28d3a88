import { changesSince } from './changes.ts'
import type { Change } from './changes.ts'
import type { Digest } from './canonical.ts'
import type { Manifest } from './manifest.ts'
import type { Stage } from './pipeline.ts'
import type { PartialRecord } from './prepare.ts'

export interface Nearest {
  readonly manifest: Manifest
  readonly changes: readonly Change[]
  /** Whether every earlier result was looked at. */
  readonly all: boolean
}

/** A matrix of ten thousand cells leaves as many results; the nearest is looked for among the likeliest. */
const MOST_CANDIDATES = 40

/** The earlier result with the fewest differences; undefined where there is none. `earlier` has the newest first. */
export function nearestResult(
  stage: Stage,
  record: PartialRecord,
  sources: Readonly<Record<string, Digest>>,
  earlier: readonly Manifest[],
): Nearest | undefined {
  const own = earlier.filter((manifest) => manifest.stage === stage.id)
  const candidates = [...own, ...earlier.filter((manifest) => manifest.stage !== stage.id)].slice(0, MOST_CANDIDATES)
  const compared = candidates.map((manifest) => ({
    manifest,
    changes: changesSince(stage, record, sources, manifest),
    all: candidates.length === earlier.length,
  }))
  // stable: of equals, the stage's own and newest
  return compared.sort((a, b) => a.changes.length - b.changes.length)[0]
}
