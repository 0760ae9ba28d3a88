import { fetchSource, pickModel } from '../data/sources.ts'
import { loadModel } from '../model/weights.ts'
import type { Model } from '../model/weights.ts'

/** The model of a folder or of `hub:`, and the folder it lies in. Throws Failure FILE_MISSING, HUB_…, and of `loadModel`. */
export async function openModel(source: string): Promise<{ readonly model: Model; readonly folder: string }> {
  const hooks = { signal: new AbortController().signal, onBytes: () => undefined, log: () => undefined }
  const folder = await fetchSource(source, pickModel, hooks)
  return { model: await loadModel(folder), folder }
}
