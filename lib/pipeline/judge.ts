import { join } from 'node:path'
import { compareExactly, compareFiles } from '../util/compare-files.ts'
import type { Compared, Differing, Tolerance } from '../util/tolerance.ts'
import type { Digest } from './canonical.ts'
import { compareTrees } from './compare-trees.ts'
import type { ReproducedStage, StageResult } from './event.ts'
import type { StageRecord } from './experiment.ts'
import type { Manifest } from './manifest.ts'

/** An output that came out in other bytes than recorded. */
export interface OutputJudged {
  readonly output: string
  /** The largest distance of two numbers, where all are within the tolerance. */
  readonly within: number | null
  /** The first place that differs; null where the recorded output is not here to be compared with. */
  readonly first: Differing | null
  readonly tolerance: Tolerance | undefined
}

export interface Judged {
  readonly stage: ReproducedStage
  /** Without those that came out in the same bytes. */
  readonly outputs: readonly OutputJudged[]
}

/** Where the result of a stage is here, and where a recorded output is; undefined where it is not, or not whole. */
export interface Places {
  readonly here: string
  readonly recorded: (output: string, digest: Digest) => Promise<string | undefined>
}

/** Holds what a stage came out with against its record: the same bytes, or numbers within the declared tolerance. */
export async function judge(
  { name, outcome, seconds }: StageResult,
  recorded: StageRecord,
  manifest: Manifest | undefined,
  places: Places,
): Promise<Judged> {
  if (outcome === 'failed' || outcome === 'skipped') return { stage: { name, result: outcome, seconds }, outputs: [] }
  const outputs: OutputJudged[] = []
  for (const [output, digest] of Object.entries(recorded.outputs)) {
    const found = manifest!.outputs[output]
    if (found?.digest === digest) continue
    const before = await places.recorded(output, digest)
    const tolerance = recorded.stage?.tolerance?.[output]
    outputs.push({ output, tolerance, ...judgeOutput(before, found && join(places.here, found.file), tolerance) })
  }
  const result =
    outputs.length === 0 ? 'identical' : outputs.every(({ within }) => within !== null) ? 'within' : 'different'
  return { stage: { name, result, seconds }, outputs }
}

function judgeOutput(
  expected: string | undefined,
  found: string | undefined,
  tolerance: Tolerance | undefined,
): Pick<OutputJudged, 'within' | 'first'> {
  if (expected === undefined || found === undefined) return { within: null, first: null }
  const compared = compareOutput(expected, found, tolerance)
  return compared.within ? { within: compared.largest, first: null } : { within: null, first: compared.first }
}

/** Without a tolerance the two are known to differ. */
function compareOutput(expected: string, found: string, tolerance: Tolerance | undefined): Compared {
  const compare = (a: string, b: string): Compared =>
    tolerance === undefined ? compareExactly(a, b) : compareFiles(a, b, tolerance)
  let largest = 0
  for (const { path, compared } of compareTrees(expected, found, compare)) {
    if (compared.within) largest = Math.max(largest, compared.largest)
    else {
      const { place, ...values } = compared.first
      const parts = [...(path === '' ? [] : [`"${path}"`]), ...(place === '' ? [] : [place])]
      return { within: false, first: { place: parts.join(', ') || 'itself', ...values } }
    }
  }
  return { within: true, largest }
}
