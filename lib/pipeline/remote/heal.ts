import type { Code } from '../../util/codes/index.ts'
import { listExperiments } from '../experiment.ts'
import type { DamagedSource } from '../sources/care.ts'
import { storeFailure } from '../store-failure.ts'
import type { Store } from '../store.ts'
import type { DamagedResult } from '../verify.ts'
import type { RemoteAddress } from './address.ts'
import { fetchSource } from './experiments.ts'
import { openRemote } from './open.ts'
import type { Channel } from './results.ts'
import { makeChannel } from './session.ts'
import type { Keys } from './signature.ts'
import { takeResult } from './sync.ts'

/** Where what is damaged may be whole. */
export interface Whole {
  readonly address: RemoteAddress
  readonly keys: Keys
  /** Hears why something is not healed. */
  readonly tell: (message: string, code: Code) => void
}

export interface HealedResult extends DamagedResult {
  /** Fetched from the remote, as it was published. */
  readonly healed: boolean
}

/** Fetches what was moved aside, where the remote has it whole. */
export async function healResults(
  whole: Whole,
  store: Store,
  damaged: readonly DamagedResult[],
): Promise<readonly HealedResult[]> {
  const healed = await healEach(whole, damaged, async (channel, result) => {
    // one that a run has is the run's
    if (result.aside === null) return false
    const taken = await takeResult(channel, store, result)
    if (taken.result === 'refused') whole.tell(taken.message, taken.code)
    return taken.result === 'pulled' || taken.result === 'there'
  })
  return damaged.map((result) => ({ ...result, healed: healed.has(result) }))
}

/** Fetches copies of sources that are healed by nothing here, from any experiment that read them. */
export async function healSources(
  whole: Whole,
  root: string,
  damaged: readonly DamagedSource[],
): Promise<readonly DamagedSource[]> {
  const left = damaged.filter((source) => !source.healed)
  const healed = await healEach(whole, left, async (channel, { digest }) => {
    for (const { record } of listExperiments(root)) {
      if (!Object.values(record.sources).includes(digest)) continue
      if (await fetchSource(channel, root, record.hash, digest)) return true
    }
    return false
  })
  return damaged.map((source) => (healed.has(source) ? { ...source, healed: true } : source))
}

async function healEach<T>(
  { address, keys, tell }: Whole,
  damaged: readonly T[],
  heal: (channel: Channel, one: T) => Promise<boolean>,
): Promise<ReadonlySet<T>> {
  const healed = new Set<T>()
  try {
    const channel = makeChannel(await openRemote(address), keys, new AbortController().signal)
    for (const one of damaged) if (await heal(channel, one)) healed.add(one)
  } catch (error) {
    const { message, code } = storeFailure(error, 'what is damaged was fetched')
    tell(message, code)
  }
  return healed
}
