import { availableParallelism } from 'node:os'
import { openEngine } from '../engine/index.ts'
import { hold } from '../model/likelihood.ts'
import type { Running } from '../model/likelihood.ts'
import { loadModel } from '../model/weights.ts'
import { fetchModel } from './fetch-model.ts'

/**
 * Gives `work` the model of a folder or of `hub:`, held by the engine of that name, and the folder it lies in. Throws
 * Failure FILE_MISSING, HUB_…, ENGINE_…, and of `loadModel`.
 */
export async function useModel<T>(
  source: string,
  engineName: string,
  work: (model: Running, folder: string) => Promise<T>,
): Promise<T> {
  const folder = await fetchModel(source)
  const model = await loadModel(folder)
  const engine = await openEngine({ name: engineName, threads: availableParallelism() })
  try {
    return await work(hold(engine, model), folder)
  } finally {
    await engine.dispose()
  }
}
