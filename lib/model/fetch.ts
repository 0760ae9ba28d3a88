import { join } from 'node:path'
import type { FetchHooks, Pick } from '../data/fetch/hooks.ts'
import { readJson } from '../data/read.ts'
import { fetchFolder, pickModel, pickNamed } from '../data/sources.ts'
import { isRemote } from '../util/remote.ts'
import { parseConfig } from './config.ts'

/**
 * The folder of a model, as `fetchFolder`; from elsewhere its configuration comes first, and of a model that is none of
 * ours nothing more. Throws Failure CONFIG_…, and what `fetchFolder` throws.
 */
export async function fetchModel(source: string, hooks: FetchHooks, pick: Pick = pickModel): Promise<string> {
  if (isRemote(source)) {
    const folder = await fetchFolder(source, pickNamed('config.json'), { ...hooks, onBytes: () => undefined })
    const config = parseConfig(readJson(join(folder, 'config.json')), `${source}/config.json`)
    if (!config.ok) throw config.error
  }
  return fetchFolder(source, pick, hooks)
}
