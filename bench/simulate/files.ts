import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const CALLS = [
  'openSync',
  'mkdirSync',
  'renameSync',
  'rmSync',
  'readdirSync',
  'statSync',
  'copyFileSync',
  'utimesSync',
] as const

/** Counts the calls that reach a folder. Gives the counts and what undoes it. */
export function countFiles(folder: string) {
  const counts: Record<string, number> = {}
  const real = Object.fromEntries(CALLS.map((name) => [name, fs[name]]))
  for (const name of CALLS) {
    const call = fs[name] as (...args: unknown[]) => unknown
    const counted = (...args: unknown[]): unknown => {
      if (typeof args[0] === 'string' && args[0].startsWith(folder)) counts[name] = (counts[name] ?? 0) + 1
      return call.apply(fs, args)
    }
    Object.assign(fs, { [name]: counted })
  }
  syncBuiltinESMExports()
  const undo = (): void => {
    Object.assign(fs, real)
    syncBuiltinESMExports()
  }
  return { counts, undo }
}
