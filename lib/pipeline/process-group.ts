import { readFileSync, readdirSync } from 'node:fs'
import { errorCode } from '../util/error-code.ts'

/** Every process of a stage inherits this variable, also one that leaves the stage's process group. */
export const TASK_VARIABLE = 'PIPELINE_TASK'

/** Signals a leader's whole group: children and grandchildren that nobody else would end. A group that is gone is none. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(process.platform === 'win32' ? leader : -leader, signal)
  } catch (error) {
    // EPERM: on macOS, a group of which only zombies are left
    if (errorCode(error) !== 'ESRCH' && errorCode(error) !== 'EPERM') throw error
  }
}

/** Ends what left the group of its stage (`setsid`, a daemon), found by the variable that it inherited. Linux alone shows it. */
export function killStrays(task: string): void {
  for (const pid of othersOf(task)) signalOne(pid)
}

/** A process that dies of SIGKILL may first have to give back what it holds of a device. */
const DYING_MS = 1000
const POLL_MS = 5

/** Ends the stage that this process leads, and then this process: what it holds is free once the others are gone. */
export function endOwnGroup(): void {
  const task = process.env[TASK_VARIABLE] ?? ''
  killStrays(task)
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  for (let waited = 0; waited < DYING_MS && othersOf(task).length > 0; waited += POLL_MS) {
    Atomics.wait(sleeper, 0, 0, POLL_MS)
  }
  signalGroup(process.pid, 'SIGKILL')
}

/** A zombie has no environment any more. */
const othersOf = (task: string): number[] =>
  processIds().filter((pid) => pid !== process.pid && environmentOf(pid).includes(`${TASK_VARIABLE}=${task}\0`))

function processIds(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
  }
}

function signalOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error
  }
}
