import { Failure } from '../util/failure.ts'
import type { Json, JsonObject } from '../util/json.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { bundle } from './bundle.ts'
import type { Bundle } from './bundle.ts'
import { digestOf } from './canonical.ts'
import type { Digest } from './canonical.ts'
import { checkNames, checkShards, fillParameters } from './check-module.ts'
import { describeModules } from './describe.ts'
import { envIdentity } from './key.ts'
import type { ArgumentPart, Pipeline, Stage } from './pipeline.ts'
import type { Project } from './project.ts'
import { moduleFile } from './stage-package.ts'
import type { StatCache } from './stat-cache.ts'

/** What of a stage's key is known before anything runs: all but the contents of its inputs. */
export interface Identity {
  readonly code: Digest
  /** Parameters with the module's defaults filled in. */
  readonly with: JsonObject
  readonly env: Readonly<Record<string, Digest | null>>
  readonly packages: Readonly<Record<string, string>>
  /** Undefined for a program. */
  readonly bundle: Bundle | undefined
  /** Parameters in which a run may differ from one that it goes on from. */
  readonly extend: readonly string[]
  /** What its work divides into; undefined where it does not. */
  readonly unit?: string | undefined
}

/** Bundles every stage's module, reads its declarations and checks the stages against them; all failures at once. */
export async function identifyStages(
  pipeline: Pipeline,
  stages: readonly Stage[],
  project: Project,
  stats: StatCache,
): Promise<Result<ReadonlyMap<string, Identity>, Failure[]>> {
  const modules = await bundleModules(pipeline, stages, project, stats)
  if (!modules.ok) return modules
  const bundles = [...new Map([...modules.value.values()].map((one) => [one.digest, one])).values()]
  const described = await describeModules(bundles, project)
  const descriptions = new Map(bundles.map((one, index) => [one.digest, described[index]!]))
  const found: Found[] = []
  const identities = new Map<string, Identity>()
  for (const stage of stages) {
    const env = envIdentity(stage.env, process.env)
    const fail = (failures: readonly Failure[]): void => {
      for (const failure of failures) found.push({ stage, failure })
    }
    fail(
      checkShards(
        stage,
        stage.program.kind === 'command' ? undefined : descriptions.get(modules.value.get(stage.program.file)!.digest),
      ),
    )
    if (stage.program.kind === 'command') {
      identities.set(stage.id, {
        code: commandDigest(stage.program.argv),
        with: stage.with,
        env,
        packages: {},
        bundle: undefined,
        extend: [],
      })
      continue
    }
    const bundled = modules.value.get(stage.program.file)!
    const description = descriptions.get(bundled.digest)!
    const names = checkNames(stage, stage.program.file, description)
    fail(names)
    if (names.length > 0 || 'error' in description) continue
    const filled = await fillParameters(stage, bundled.digest, description.params, project)
    if (!filled.ok) fail(filled.error)
    else
      identities.set(stage.id, {
        code: bundled.digest,
        with: filled.value,
        env,
        packages: bundled.packages,
        bundle: bundled,
        extend: description.extend ?? [],
        unit: description.unit,
      })
  }
  return found.length > 0 ? err(onceForCells(found)) : ok(identities)
}

interface Found {
  readonly stage: Stage
  readonly failure: Failure
}

/** A mistake that several cells of a stage share is said once, of the stage. */
function onceForCells(all: readonly Found[]): Failure[] {
  const byMistake = new Map<string, Failure>()
  for (const { stage, failure } of all) {
    const { code, message, place, exitCode } = failure
    const ofStage = message.replaceAll(`"${stage.id}"`, `"${stage.name}"`)
    const key = JSON.stringify([code, ofStage, place])
    const isShared = byMistake.has(key) && stage.id !== stage.name
    byMistake.set(key, isShared ? new Failure(code, ofStage, { exitCode, ...(place && { place }) }) : failure)
  }
  return [...byMistake.values()]
}

async function bundleModules(
  pipeline: Pipeline,
  stages: readonly Stage[],
  project: Project,
  stats: StatCache,
): Promise<Result<Map<string, Bundle>, Failure[]>> {
  const bundles = new Map<string, Bundle>()
  const failures: Failure[] = []
  const files = new Set(stages.flatMap(({ program }) => (program.kind === 'module' ? [program.file] : [])))
  for (const file of files) {
    const bundled = await bundle(moduleFile(pipeline.root, file), project, stats)
    if (bundled.ok) bundles.set(file, bundled.value)
    else failures.push(bundled.error)
  }
  return failures.length > 0 ? err(failures) : ok(bundles)
}

/** Paths do not stand in an argument vector, only the names of inputs and outputs, so it is equal on every machine. */
export function commandDigest(argv: readonly (readonly ArgumentPart[])[]): Digest {
  const text = JSON.stringify(argv)
  const known = commandDigests.get(text)
  if (known !== undefined) return known
  const digest = digestOf(['command', argv.map((parts) => parts.map((part): Json => ({ ...part })))])
  commandDigests.set(text, digest)
  return digest
}

/** Stages of one pipeline are often of few commands. */
const commandDigests = new Map<string, Digest>()
