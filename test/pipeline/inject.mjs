// Loaded before a driver: at the INJECT_AT-th write to disk, kills the process (INJECT=kill: before it, or half way
// through it where it writes bytes), or lets the write fail with a code (INJECT=ENOSPC). Tells how many there were.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const at = Number(process.env.INJECT_AT ?? 0)
const what = process.env.INJECT ?? ''
const only = process.env.INJECT_ONLY ?? ''
let count = 0

const WRITES = [
  'writeSync',
  'writeFileSync',
  'fsyncSync',
  'renameSync',
  'mkdirSync',
  'rmSync',
  'rmdirSync',
  'symlinkSync',
  'chmodSync',
  'utimesSync',
  'openSync',
  'copyFileSync',
]
const original = { ...fs }

const counts = (name, args) =>
  !(name === 'writeSync' && args[0] < 3) &&
  !(name === 'openSync' && (args[1] === undefined || args[1] === 'r')) &&
  inArtifacts(name, args)
const inArtifacts = (name, args) =>
  only === '' || typeof args[0] === 'number' || args.some((arg) => typeof arg === 'string' && arg.includes(only))

for (const name of WRITES) {
  fs[name] = (...args) => {
    if (counts(name, args) && ++count === at) inject(name, args)
    return original[name](...args)
  }
}
syncBuiltinESMExports()

function inject(name, args) {
  if (what === 'kill') {
    if (name === 'writeSync' && args[1].length > 1) original.writeSync(args[0], args[1], 0, args[1].length >> 1)
    process.kill(process.pid, 'SIGKILL')
    for (;;);
  }
  throw Object.assign(new Error(`${what}: injected, ${name}`), { code: what })
}

process.on('exit', () => {
  if (process.env.INJECT_COUNT) original.writeFileSync(process.env.INJECT_COUNT, String(count))
})
