import { execFileSync } from 'node:child_process'

/** One number that a side measured: what a line of JSON says for people's line before it. */
export interface Measured {
  readonly part: string
  /** The engine, or PyTorch and how it was run. */
  readonly who: string
  readonly what: string
  readonly unit: string
  readonly value: number
}

/** Says it at once: a run that is cut off has said what it had measured. bench/peers/gpu.py speaks the same way. */
export function say(measured: Measured): void {
  const { part, who, what, unit, value } = measured
  console.log(`${part}: ${what}: ${value.toPrecision(4)} ${unit} (${who})`)
  console.log(JSON.stringify(measured))
}

/** GiB in use on the device, whoever uses it; undefined where nvidia-smi does not say. */
export function deviceMemory(): number | undefined {
  try {
    const query = ['--query-gpu=memory.used', '--format=csv,noheader,nounits']
    return Number(execFileSync('nvidia-smi', query, { encoding: 'utf8' }).split('\n')[0]) / 1024
  } catch {
    return undefined
  }
}

/** What was added to the device's memory since it was `before`. */
export function sayMemory(part: string, who: string, before: number | undefined): void {
  const now = deviceMemory()
  if (now === undefined || before === undefined) return
  say({ part, who, what: 'device memory', unit: 'GiB', value: now - before })
}
