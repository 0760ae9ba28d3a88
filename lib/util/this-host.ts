import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { errorCode } from './error-code.ts'

export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

/** When a process was started: the boot, and clock ticks since it (field 22 of /proc/PID/stat). Tells a reused pid. */
export function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the second field, the program's name, may hold spaces and parentheses
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? 'ended' : `${fields[19]!}b${thisBoot()}`
  } catch {
    return undefined
  }
}

let host: string | undefined
let boot: string | undefined

/** This machine, or this container in it: pids mean the same within it and nowhere else. */
export function thisHost(): string {
  // machines may have one name, and the pid namespace of a machine itself has one number on all of them
  host ??= digits(`${hostname()} ${readText('/etc/machine-id')} ${linkText('/proc/self/ns/pid')}`, 16)
  return host
}

function thisBoot(): string {
  boot ??= digits(readText('/proc/sys/kernel/random/boot_id'), 8)
  return boot
}

const digits = (text: string, count: number): string => createHash('sha256').update(text).digest('hex').slice(0, count)

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}

function linkText(file: string): string {
  try {
    return readlinkSync(file)
  } catch {
    return ''
  }
}
