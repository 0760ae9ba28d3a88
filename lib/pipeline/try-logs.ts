import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { LOG } from './manifest.ts'

/** Logs of tries before the last that are kept, and their bytes together; the oldest go first. */
const MOST_LOGS = 9
const MOST_BYTES = 64 * 1024 * 1024

const TRY = /^log\.try-(\d+)\.txt$/

/** Whether a name is kept for the log of an earlier try, which lies beside that of the last one. */
export const isTryLog = (name: string): boolean => TRY.test(name)

/** Says of the log of a try that failed that another try follows. */
export function markTry(log: string | null, tried: number): void {
  if (log !== null && existsSync(log)) renameSync(log, join(dirname(log), `log.try-${tried}.txt`))
}

/**
 * Takes the logs of earlier tries out of what the last one left. Where that one's own log is there no try followed, so
 * that what comes now begins anew.
 */
export function carryTryLogs(from: string, to: string): void {
  if (existsSync(join(from, LOG))) return
  let [count, bytes] = [0, 0]
  for (const file of namesIn(from).reverse()) {
    count += 1
    bytes += statSync(join(from, file)).size
    if (count > 1 && (count > MOST_LOGS || bytes > MOST_BYTES)) rmSync(join(from, file))
    else renameSync(join(from, file), join(to, file))
  }
}

/** The logs of the tries before the one with this log, oldest first. */
export const earlierLogs = (log: string): string[] =>
  basename(log) === LOG ? namesIn(dirname(log)).map((name) => join(dirname(log), name)) : []

function namesIn(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder).filter(isTryLog) : []
  const numberOf = (name: string): number => Number(TRY.exec(name)![1])
  return names.sort((a, b) => numberOf(a) - numberOf(b))
}
