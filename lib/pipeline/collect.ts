import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncFolder } from '../util/durable.ts'
import { acquire, livingKeys, tryAcquire } from '../util/lock.ts'
import type { Lock } from '../util/lock.ts'
import { sha256 } from './canonical.ts'
import { remove } from './files.ts'
import { goneOrders, removeOrders } from './executor/batches.ts'
import { ordersFolder } from './executor/order.ts'
import { extensionsOf } from './extension.ts'
import { DAY_MS } from './kept-days.ts'
import { removeLeftovers, staleLeftovers } from './leftovers.ts'
import type { Leftover } from './leftovers.ts'
import { claimLock } from './live.ts'
import { removeReproductions, staleReproductions } from './reproductions.ts'
import { removeSources, staleSources } from './sources/care.ts'
import { dropEmptyFolders } from './shards/waiting.ts'
import { storeFailure } from './store-failure.ts'
import type { Store } from './store.ts'
import { isFree, measureStore, needsOf, sizes } from './usage.ts'
import type { ResultUsage, StoreUsage } from './usage.ts'

/** What may stay; where neither is said, what an experiment has, pinned or not. */
export interface Policy {
  /** The store's size: least recently used results go until it fits, those that no experiment has first. */
  readonly bytes: number | undefined
  /** Days since a result was last used. */
  readonly age: number | undefined
}

export interface Collected {
  readonly removed: readonly ResultUsage[]
  /** Of dead runs and jobs in the store, and beside it of reproductions and copies of sources. */
  readonly leftovers: readonly Leftover[]
  readonly freedBytes: number
  /** The store's size afterwards. */
  readonly bytes: number
}

/** One gc at a time. */
const GC = sha256('gc')

/**
 * Removes the results that nobody needs and the policy does not let stay, and what dead runs left. A result goes by
 * one rename under the lock of its key; the room is freed after that, so that a kill leaves it whole or gone. With
 * `dryRun` it tells what it would remove and touches nothing. Throws Failure PIN_UNREADABLE,
 * STORE_USER_UNREADABLE, DISK_FULL, NOT_WRITABLE.
 */
export async function collect(root: string, store: Store, policy: Policy, dryRun: boolean): Promise<Collected> {
  const orders = await goneOrders(ordersFolder(store))
  if (dryRun || !existsSync(dirname(store.root))) {
    const plan = planCollection(root, store, policy, orders)
    return summary({ ...plan, beside: [...plan.reproduced, ...plan.sources] })
  }
  const { signal } = new AbortController()
  const lock = await acquire(store.root, GC, signal, () => undefined)
  try {
    const plan = planCollection(root, store, policy, orders)
    const removed = await removeResults(root, store, plan.removed)
    const leftovers = removeLeftovers(store, plan.leftovers, policy.age)
    for (const { path } of plan.orders) removeOrders(path)
    const reproduced = removeReproductions(plan.reproduced, policy.age)
    const sources = removeSources(root, store, plan.sources, policy.age)
    return summary({
      before: plan.before,
      removed,
      leftovers,
      orders: plan.orders,
      beside: [...reproduced, ...sources],
    })
  } catch (error) {
    throw storeFailure(error, 'results were removed')
  } finally {
    lock.release()
  }
}

function planCollection(root: string, store: Store, policy: Policy, gone: readonly string[]): Plan {
  const usage = measureStore(root, store)
  const leftovers = staleLeftovers(store, policy.age)
  const size = sizes()
  const orders = gone.map((path) => ({ path, bytes: size.tree(path) }))
  const removed = choose(store, usage, policy, usage.bytes - sum(leftovers) - sum(orders))
  const reproduced = staleReproductions(store, policy.age)
  return { before: usage.bytes, removed, leftovers, orders, reproduced, sources: staleSources(root, store, policy.age) }
}

/** What goes, and the store's size before. */
interface Plan {
  readonly before: number
  readonly removed: readonly ResultUsage[]
  readonly leftovers: readonly Leftover[]
  /** Of jobs of a cluster that are gone. */
  readonly orders: readonly Leftover[]
  /** They stand beside the store, as do copies of sources. */
  readonly reproduced: readonly Leftover[]
  readonly sources: readonly Leftover[]
}

type Gone = Omit<Plan, 'reproduced' | 'sources'> & { readonly beside: readonly Leftover[] }

function summary({ before, removed, leftovers, orders, beside }: Gone): Collected {
  const freed = sum(removed) + sum(leftovers) + sum(orders)
  return {
    removed,
    leftovers: [...leftovers, ...orders, ...beside],
    freedBytes: freed + sum(beside),
    bytes: before - freed,
  }
}

const sum = (parts: readonly { readonly bytes: number }[]): number => parts.reduce((all, { bytes }) => all + bytes, 0)

/** Those that no experiment has go first, then those not used for longest. */
function choose(store: Store, usage: StoreUsage, policy: Policy, size: number): ResultUsage[] {
  const free = usage.stages.flatMap(({ stage, results }) => {
    const busy = livingKeys(store.stageFolder(stage))
    return results.filter((result) => isFree(result) && !busy.has(result.key))
  })
  free.sort((a, b) => a.needs.length - b.needs.length || a.usedAt - b.usedAt)
  if (policy.bytes === undefined && policy.age === undefined) return free.filter(({ needs }) => needs.length === 0)
  const since = policy.age === undefined ? -Infinity : Date.now() - policy.age * DAY_MS
  const old = free.filter(({ usedAt }) => usedAt <= since)
  if (policy.bytes === undefined) return old
  const young = free.filter(({ usedAt }) => usedAt > since)
  return [...old, ...untilItFits(young, size - sum(old) - policy.bytes)]
}

function untilItFits(results: readonly ResultUsage[], excess: number): ResultUsage[] {
  let left = excess
  return results.filter(({ bytes }) => {
    if (left <= 0) return false
    left -= bytes
    return true
  })
}

/** Takes away all that nobody came to need meanwhile, then frees the room. */
async function removeResults(root: string, store: Store, chosen: readonly ResultUsage[]): Promise<ResultUsage[]> {
  const taken = await takeAway(root, store, chosen)
  try {
    for (const stage of new Set(taken.map(({ result }) => result.stage))) syncFolder(store.stageFolder(stage))
    for (const { gone } of taken) gone.forEach(remove)
  } finally {
    for (const { lock } of taken) lock.release()
  }
  dropEmptyFolders(store)
  return taken.map(({ result }) => result)
}

interface Taken {
  readonly result: ResultUsage
  readonly gone: readonly string[]
  /** Held until the room is free, so that a run which makes it anew does not clear the same folder away. */
  readonly lock: Lock
}

async function takeAway(root: string, store: Store, chosen: readonly ResultUsage[]): Promise<Taken[]> {
  const claims = await claimLock(store, new AbortController().signal)
  try {
    const needs = needsOf(root, store)
    return chosen.flatMap((result) => {
      const { stage, key } = result
      const lock = tryAcquire(store.stageFolder(stage), key)
      if (lock === undefined) return []
      const usedAt = store.usedAt(stage, key)
      if (usedAt !== undefined && isFree({ needs: needs(result, usedAt) })) {
        const paths = [store.folder(stage, key), ...extensionsOf(store.stageFolder(stage), key)]
        return { result, gone: paths.map((path) => store.abandon(stage, key, path)), lock }
      }
      lock.release()
      return []
    })
  } finally {
    claims.release()
  }
}
