import { Failure } from '../../util/failure.ts'
import { parseRemote } from '../../util/remote.ts'
import type { FetchSettings } from '../fetch/settings.ts'
import { cachedRepository, rememberRevision, resolveRepository } from './repository.ts'

/**
 * The commit that a source's revision is now; offline, the one that it was when the hub was last asked. With `remember`
 * the cache keeps the answer for who is offline. Throws Failure HUB_…, SOURCE_INVALID.
 */
export async function commitOf(source: string, remember: boolean, settings: FetchSettings): Promise<string> {
  const remote = parseRemote(source)
  if (!remote.ok) throw new Failure('SOURCE_INVALID', remote.error)
  if (remote.value.site !== 'hub') throw new Error(`Internal error: "${source}" has no revision`)
  if (settings.offline) return cachedRepository(settings, remote.value).commit
  const { commit } = await resolveRepository(settings, remote.value, new AbortController().signal)
  if (remember) rememberRevision(settings, remote.value, commit)
  return commit
}
