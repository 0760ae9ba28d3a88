import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface Stop {
  /** The first signal: checkpoint and stop. */
  readonly signal: AbortSignal
  /** The second: end at once. */
  readonly kill: AbortSignal
  /** 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP; undefined where no signal came. */
  exitCode(): number | undefined
}

/** Turns signals into a clean stop; `onStop` is told of each step once. */
export function listenForStop(onStop: (step: 'stopping' | 'killing') => void): Stop {
  const stop = new AbortController()
  const kill = new AbortController()
  let code: number | undefined
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      code ??= 128 + constants.signals[signal]
      const step = stop.signal.aborted ? 'killing' : 'stopping'
      if (kill.signal.aborted) return
      onStop(step)
      if (step === 'killing') kill.abort()
      else stop.abort()
    })
  }
  return { signal: stop.signal, kill: kill.signal, exitCode: () => code }
}
