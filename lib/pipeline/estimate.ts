import type { Manifest } from './manifest.ts'
import type { Stage } from './pipeline.ts'
import type { State } from './plan.ts'

/** How long a stage will take, by its latest results. */
export interface Estimate {
  /** Their median. */
  readonly seconds: number
  /** The same times the GPUs that the stage asks for; 0 where those results were not made on a GPU. */
  readonly gpuSeconds: number
  readonly results: number
}

/** Older results tell of older code and machines. */
const LATEST = 5

/** From the stage's own results, newest first; where it has none, from those of the other cells. Null where there is none. */
export function estimateOf({ id, resources }: Stage, earlier: readonly Manifest[]): Estimate | null {
  const own = earlier.filter((manifest) => manifest.stage === id)
  const latest = (own.length > 0 ? own : earlier).slice(0, LATEST)
  const sorted = latest.toSorted((a, b) => a.ran.seconds - b.ran.seconds)
  const middle = sorted[Math.floor(sorted.length / 2)]
  if (middle === undefined) return null
  const { seconds, device } = middle.ran
  return { seconds, gpuSeconds: isGpu(device) ? resources.gpu * seconds : 0, results: latest.length }
}

/** Engines say `onnx-cpu, 2 threads` of a CPU, `cuda, NVIDIA H200` of a GPU; a program says nothing. */
const isGpu = (device: string | null): boolean => device !== null && !/, \d+ threads?$/.test(device)

/** What all stages that will run take in sum, one after the other. */
export interface Total {
  readonly seconds: number
  readonly gpuSeconds: number
  /** Stages of which nothing is known. */
  readonly unknown: number
}

export interface Totals {
  readonly run: Total
  /** And what is added if all run that may. */
  readonly mayRun: Total
}

export function totalsOf(stages: readonly { readonly state: State; readonly estimate: Estimate | null }[]): Totals {
  const total = (state: State): Total => {
    const estimates = stages.filter((stage) => stage.state === state).map(({ estimate }) => estimate)
    return {
      seconds: estimates.reduce((sum, one) => sum + (one?.seconds ?? 0), 0),
      gpuSeconds: estimates.reduce((sum, one) => sum + (one?.gpuSeconds ?? 0), 0),
      unknown: estimates.filter((one) => one === null).length,
    }
  }
  return { run: total('run'), mayRun: total('may-run') }
}
