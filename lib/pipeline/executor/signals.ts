/** One listener for each signal, however many jobs wait for it. */
export class Signals {
  readonly #known = new Set<AbortSignal>()

  /** Calls `act` when the signal aborts, soon where it did already, and once for each signal, of those given with it. */
  onAbort(signal: AbortSignal, act: () => void): void {
    if (signal.aborted) queueMicrotask(act)
    else if (!this.#known.has(signal)) signal.addEventListener('abort', act, { once: true })
    this.#known.add(signal)
  }
}
