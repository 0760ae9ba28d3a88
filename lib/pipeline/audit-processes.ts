import childProcess from 'node:child_process'
import net from 'node:net'
import type { Access } from './access.ts'

type Call = (...args: unknown[]) => unknown

/** Tells the programs that are started and the hosts that are asked. */
export function watchProcesses(tell: (kind: Access['kind'], name: string) => void): void {
  // what every asynchronous form of node:child_process ends in
  const child = childProcess.ChildProcess.prototype as unknown as Record<'spawn', Call>
  const { spawn } = child
  child.spawn = function (options) {
    tell('run', programOf(options as { readonly file: string; readonly args?: readonly string[] }))
    return Reflect.apply(spawn, this, [options])
  }
  const sync = childProcess as unknown as Record<string, Call>
  for (const name of ['spawnSync', 'execFileSync', 'execSync']) {
    const original = sync[name]!
    sync[name] = function (program, ...rest) {
      tell('run', name === 'execSync' ? firstWord(String(program)) : String(program))
      return Reflect.apply(original, this, [program, ...rest])
    }
  }
  const socket = net.Socket.prototype as unknown as Record<'connect', Call>
  const { connect } = socket
  socket.connect = function (...args) {
    const to = addressOf(args)
    if (to !== undefined) tell('connect', to)
    return Reflect.apply(connect, this, args)
  }
}

/** `exec` runs a shell; its command is the program. */
function programOf({ file, args = [] }: { readonly file: string; readonly args?: readonly string[] }): string {
  return file === '/bin/sh' && args[1] === '-c' ? firstWord(args[2] ?? '') : file
}

const firstWord = (command: string): string => command.trim().split(/\s/, 1)[0]!

/** `connect(port, host)`, `connect({ port, host })`, or either of them in a list, as node:net hands it on. */
function addressOf(args: readonly unknown[]): string | undefined {
  const [first, second] = Array.isArray(args[0]) ? (args[0] as unknown[]) : args
  if (typeof first === 'object' && first !== null) {
    const { port, host } = first as { readonly port?: number | string; readonly host?: string }
    return port === undefined ? undefined : `${host ?? 'localhost'}:${port}`
  }
  return typeof first === 'number' ? `${typeof second === 'string' ? second : 'localhost'}:${first}` : undefined
}
