import { loadPipeline } from '../pipeline/config.ts'
import type { LoadedPipeline } from '../pipeline/config.ts'
import type { Failure } from '../util/failure.ts'
import type { Result } from '../util/result.ts'
import { writeError } from './output.ts'
import type { ConfigOptions } from './options.ts'
import { wordFailure } from './words.ts'

/** Reads pipeline.yaml of the working folder, and words its notices on standard error. */
export async function load({ recipe, set }: ConfigOptions): Promise<Result<LoadedPipeline, Failure[]>> {
  const loaded = await loadPipeline({ file: 'pipeline.yaml', overlays: recipe, sets: set })
  if (loaded.ok) for (const notice of loaded.value.notices) writeError(wordFailure(notice, 'warning'))
  return loaded
}
