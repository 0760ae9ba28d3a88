import type { Pick } from '../data/fetch/hooks.ts'
import { fetchModel as fetch } from '../model/fetch.ts'
import { say } from '../util/answer.ts'

/** The folder of a model of `hub:`, or of one on this machine. Throws Failure FILE_MISSING, HUB_…, CONFIG_…. */
export function fetchModel(source: string, pick?: Pick): Promise<string> {
  const onBytes = (done: number, total: number): void => say({ type: 'fetching', what: source, done, total })
  return fetch(source, { signal: new AbortController().signal, onBytes, log: () => undefined }, pick)
}
