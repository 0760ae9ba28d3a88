import type { Code } from '../../util/codes/index.ts'
import { storeFailure } from '../store-failure.ts'
import type { Store } from '../store.ts'
import type { DamagedResult } from '../verify.ts'
import type { RemoteAddress } from './address.ts'
import { openRemote } from './open.ts'
import { makeChannel } from './session.ts'
import type { Keys } from './signature.ts'
import { takeResult } from './sync.ts'

export interface HealedResult extends DamagedResult {
  /** Fetched from the remote, as it was published. */
  readonly healed: boolean
}

/** Fetches what was moved aside, where the remote has it whole; `tell` hears why one is not healed. */
export async function healResults(
  address: RemoteAddress,
  keys: Keys,
  store: Store,
  damaged: readonly DamagedResult[],
  tell: (message: string, code: Code) => void,
): Promise<readonly HealedResult[]> {
  const channel = makeChannel(await openRemote(address), keys, new AbortController().signal)
  const healed = new Set<DamagedResult>()
  try {
    for (const result of damaged) {
      // one that a run has is the run's
      if (result.aside === null) continue
      const taken = await takeResult(channel, store, result)
      if (taken.result === 'refused') tell(taken.message, taken.code)
      if (taken.result === 'pulled' || taken.result === 'there') healed.add(result)
    }
  } catch (error) {
    const { message, code } = storeFailure(error, 'a damaged result was fetched')
    tell(message, code)
  }
  return damaged.map((result) => ({ ...result, healed: healed.has(result) }))
}
