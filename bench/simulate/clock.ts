import timersPromises from 'node:timers/promises'
import { syncBuiltinESMExports } from 'node:module'

/** A time that passes only where the program under it waits. Times are in ms. */
export interface Clock {
  now(): number
  /** Calls `act` so many ms later. */
  later(ms: number, act: () => void): void
  /** Lets time pass, from wait to wait, until the work is done. */
  run<T>(work: Promise<T>): Promise<T>
  restore(): void
}

interface Waiting {
  readonly at: number
  readonly act: () => void
  isOff: boolean
}

/**
 * Puts a simulated time in the place of `Date.now`, `performance.now`, `setTimeout` and that of node:timers/promises,
 * which is all the time that an executor asks for. `onAdvance` is told of each step before what waited for it goes on.
 */
export function simulateClock(onAdvance: (to: number) => void): Clock {
  const measured = performance.now.bind(performance)
  const real = {
    now: Date.now,
    performance: measured,
    setTimeout,
    clearTimeout,
    delay: timersPromises.setTimeout,
  }
  const began = Date.now()
  const waiting: Waiting[] = []
  let now = 0
  const later = (ms: number, act: () => void): Waiting => {
    const one = { at: now + Math.max(0, ms), act, isOff: false }
    insert(waiting, one)
    return one
  }
  const delay = (ms = 0, value?: unknown, options: { readonly signal?: AbortSignal } = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const one = later(ms, () => resolve(value))
      options.signal?.addEventListener('abort', () => {
        one.isOff = true
        reject(options.signal!.reason as Error)
      })
    })
  Date.now = () => began + now
  performance.now = () => now
  globalThis.setTimeout = ((act: () => void, ms = 0) => Object.assign(later(ms, act), HANDLE)) as never
  globalThis.clearTimeout = ((one?: Waiting) => {
    if (one !== undefined) one.isOff = true
  }) as never
  timersPromises.setTimeout = delay as never
  syncBuiltinESMExports()
  const step = (): void => {
    const next = waiting.pop()
    if (next === undefined || next.isOff) return
    now = next.at
    onAdvance(now)
    next.act()
  }
  return {
    now: () => now,
    later,
    async run(work) {
      const state = { isDone: false }
      const done = work.finally(() => (state.isDone = true))
      // what does not wait goes on first: promises, then what the world really does
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve))
        if (state.isDone) return done
        step()
      }
    },
    restore() {
      Date.now = real.now
      performance.now = real.performance
      Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout })
      timersPromises.setTimeout = real.delay
      syncBuiltinESMExports()
    },
  }
}

const HANDLE = { unref: () => undefined, ref: () => undefined }

/** Latest first: few wait at one time. */
function insert(waiting: Waiting[], one: Waiting): void {
  let index = waiting.length
  while (index > 0 && waiting[index - 1]!.at <= one.at) index--
  waiting.splice(index, 0, one)
}
