import childProcess from 'node:child_process'
import type { ExecFileException } from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'
import type { Clock } from './clock.ts'
import type { Cluster } from './cluster.ts'

const OURS: ReadonlySet<string> = new Set(['sbatch', 'squeue', 'sacct', 'scancel', 'scontrol', 'sinfo'])

type Callback = (error: ExecFileException | null, out: string, stderr: string) => void

/** Puts the cluster in the place of Slurm's programs, where they are spawned. Gives what undoes it. */
export function simulateCommands(cluster: Cluster, clock: Clock, leaveOut: <T>(work: () => T) => T) {
  const real = childProcess.execFile
  const simulated = (name: string, args: readonly string[], options: object, callback: Callback): unknown => {
    if (!OURS.has(name)) return real(name, args, options, callback as never)
    const { out, words, ms } = leaveOut(() => cluster.answer(name, args, clock.now()))
    clock.later(ms, () => callback(words === '' ? null : new Error(words), out, words))
    return { stdin: { on: () => undefined, end: () => undefined } }
  }
  // promisify finds its own form of it among its properties
  childProcess.execFile = Object.defineProperties(simulated, Object.getOwnPropertyDescriptors(real)) as typeof real
  syncBuiltinESMExports()
  const undo = (): void => {
    childProcess.execFile = real
    syncBuiltinESMExports()
  }
  return { undo }
}
