import type { Pick } from '../data/fetch/hooks.ts'
import { fetchFolder } from '../data/sources.ts'
import { say } from '../util/answer.ts'

/** The folder of a model of `hub:`, or of one on this machine. Throws Failure FILE_MISSING, HUB_…. */
export function fetchModel(source: string, pick: Pick): Promise<string> {
  const onBytes = (done: number, total: number): void => say({ type: 'fetching', what: source, done, total })
  return fetchFolder(source, pick, { signal: new AbortController().signal, onBytes, log: () => undefined })
}
