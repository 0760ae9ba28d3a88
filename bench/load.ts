import { loadavg } from 'node:os'

/** Threads that wait for each other lose far more to another process than its share: figures of a busy machine say little. */
export function warnOfLoad(): void {
  const [load = 0] = loadavg()
  if (load > 0.5) console.error(`this machine is busy (load ${load.toFixed(1)}): the figures will say little`)
}
