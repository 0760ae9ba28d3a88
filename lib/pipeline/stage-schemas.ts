import { Failure } from '../util/failure.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { bundle } from './bundle.ts'
import { describeModules } from './describe.ts'
import type { StageSchema, StageSchemas } from './editor-schema.ts'
import { projectAt } from './project.ts'
import { moduleFile } from './stage-package.ts'
import { StatCache } from './stat-cache.ts'

/** What the modules of stages take, by their paths relative to `root`. Failures BUNDLE_…, MODULE_BROKEN. */
export async function stageSchemas(root: string, files: readonly string[]): Promise<Result<StageSchemas, Failure[]>> {
  const project = projectAt(root)
  const stats = new StatCache(project.cache)
  const bundled = await Promise.all(files.map((file) => bundle(moduleFile(root, file), project, stats)))
  const bundles = bundled.flatMap((one) => (one.ok ? [one.value] : []))
  const failures = bundled.flatMap((one) => (one.ok ? [] : [one.error]))
  if (failures.length > 0) return err(failures)
  stats.save()
  const found = new Map<string, StageSchema>()
  for (const [index, description] of (await describeModules(bundles, project)).entries()) {
    if (!('error' in description)) found.set(files[index]!, description)
    else failures.push(new Failure('MODULE_BROKEN', `"${files[index]!}" cannot be loaded: ${description.error}`))
  }
  return failures.length > 0 ? err(failures) : ok(found)
}
