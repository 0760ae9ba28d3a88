import type { ResolveRevisions } from '../pipeline/revisions.ts'
import { received } from '../util/answer.ts'
import type { Answer } from '../util/answer.ts'
import { askTool } from './tool.ts'

/** Asks the hub what branches and tags are now. With `remember` its cache keeps that, which a dry run must not touch. */
export const revisionsOf =
  (remember: 'yes' | 'no', signal?: AbortSignal): ResolveRevisions =>
  async (sources) =>
    ((await askTool('resolve', [JSON.stringify(sources), remember], { signal })) as Answer<string>[]).map(received)
