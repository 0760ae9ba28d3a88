import { relative } from 'node:path'
import { listExperiments, readExperiment } from '../../pipeline/experiment.ts'
import type { ListedExperiment } from '../../pipeline/experiment.ts'
import { Failure } from '../../util/failure.ts'
import { err, ok } from '../../util/result.ts'
import type { Result } from '../../util/result.ts'
import { write, writeFailures, writeJson } from '../output.ts'

/** `pipeline report [HASH]`: where the page is. */
export function report(hash: string | undefined, options: { json?: boolean }): number {
  const found = hash === undefined ? newest() : readExperiment(process.cwd(), hash)
  const page = found.ok ? pageOf(found.value) : found
  if (!page.ok) {
    writeFailures([page.error], options.json === true)
    return page.error.exitCode
  }
  if (options.json === true) writeJson({ page: page.value })
  else write(relative(process.cwd(), page.value))
  return 0
}

function newest(): Result<ListedExperiment, Failure> {
  const found = listExperiments(process.cwd()).find(({ page }) => page !== null)
  if (found) return ok(found)
  return err(
    new Failure(
      'REPORT_MISSING',
      'No experiment here has a page. `pipeline run` makes one where pipeline.yaml names a `page:`.',
    ),
  )
}

function pageOf({ page, record }: ListedExperiment): Result<string, Failure> {
  if (page !== null) return ok(page)
  const message = `Experiment ${record.hash.slice(0, 16)} has no page here. Run it again with a \`page:\` in pipeline.yaml.`
  return err(new Failure('REPORT_MISSING', message))
}
