import { mkdirSync, rmSync } from 'node:fs'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { JsonObject } from '../util/json.ts'
import type { Bundle } from './bundle.ts'
import { messageOf, readJson, readSealed, token, writeSealed } from './files.ts'
import { hostBundle } from './host-bundle.ts'
import type { Project } from './project.ts'

/**
 * What a stage's module says of itself: its parameters' JSON schema, its inputs (`name`, `name{}`, with `?`), its outputs,
 * the parameters in which a run may differ from one that it goes on from.
 */
export type Description =
  | {
      readonly params: JsonObject
      readonly in: readonly string[]
      readonly out: readonly string[]
      readonly extend?: readonly string[]
    }
  | { readonly error: string }

const TIME_MS = 120_000

/**
 * Descriptions of stage modules in the order asked. A module is loaded once for each digest, in a child process: the
 * learner and its engines never enter this one.
 */
export async function describeModules(bundles: readonly Bundle[], project: Project): Promise<Description[]> {
  const fileOf = (bundle: Bundle): string => join(project.cache, 'describe', `${bundle.digest}.json`)
  const unknown = bundles.filter((bundle) => readSealed(fileOf(bundle)) === undefined)
  const found = new Map<string, Description>()
  for (const [index, description] of (await readOut(unknown, project)).entries()) {
    const bundle = unknown[index]!
    found.set(bundle.digest, description)
    // an error may have a passing cause, such as a package that was not installed yet
    if (!('error' in description)) writeSealed(fileOf(bundle), description)
  }
  return bundles.map((bundle) => found.get(bundle.digest) ?? (readSealed(fileOf(bundle)) as unknown as Description))
}

async function readOut(bundles: readonly Bundle[], project: Project): Promise<Description[]> {
  if (bundles.length === 0) return []
  mkdirSync(join(project.cache, 'describe'), { recursive: true })
  const out = join(project.cache, 'describe', `${token()}.tmp`)
  try {
    const args = [await hostBundle(), '--describe', out, ...bundles.flatMap(({ file, from }) => [file, from])]
    await promisify(execFile)(process.execPath, args, { timeout: TIME_MS, killSignal: 'SIGKILL' })
    return readJson(out) as unknown as Description[]
  } catch (error) {
    return bundles.map(() => ({ error: messageOf(error) }))
  } finally {
    rmSync(out, { force: true })
  }
}
