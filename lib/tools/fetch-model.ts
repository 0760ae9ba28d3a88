import type { Pick } from '../data/hub/index.ts'
import { fetchSource } from '../data/sources.ts'

/** The folder of a model of `hub:`, or of one on this machine. Throws Failure FILE_MISSING, HUB_…. */
export function fetchModel(source: string, pick: Pick): Promise<string> {
  return fetchSource(source, pick, {
    signal: new AbortController().signal,
    onBytes: () => undefined,
    log: () => undefined,
  })
}
