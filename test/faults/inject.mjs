// Loaded before a driver: at the INJECT_AT-th write below INJECT_ONLY, kills the process (INJECT=kill: before it, or half
// way through it where it writes bytes or removes a tree), cuts the power (INJECT=power: the same, or at the end of the
// process, and what was not on the disk below INJECT_DISK is lost; the file system's last commit of its own came after
// INJECT_COMMIT writes), or lets the write fail with a code (INJECT=ENOSPC). Tells how many writes there were.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { Disk } from './power.mjs'

const at = Number(process.env.INJECT_AT ?? 0)
const what = process.env.INJECT ?? ''
const only = process.env.INJECT_ONLY ?? ''
let count = 0

const WRITES = [
  'writeSync',
  'writeFileSync',
  'appendFileSync',
  'fsyncSync',
  'renameSync',
  'mkdirSync',
  'rmSync',
  'rmdirSync',
  'unlinkSync',
  'symlinkSync',
  'chmodSync',
  'utimesSync',
  'openSync',
  'copyFileSync',
]
const original = { ...fs }
/** What each descriptor was opened for. */
const paths = new Map()
const commitAt = Number(process.env.INJECT_COMMIT ?? 0)
const disk = what === 'power' ? new Disk(process.env.INJECT_DISK) : undefined

const isRead = (name, args) => name === 'openSync' && (args[1] === undefined || args[1] === 'r')
const isBelow = (args) => {
  const names = typeof args[0] === 'number' ? [paths.get(args[0])] : args
  return names.some((one) => typeof one === 'string' && one.includes(only))
}

for (const name of WRITES) {
  fs[name] = (...args) => {
    const counts = !isRead(name, args) && isBelow(args)
    if (counts && ++count === at) inject(name, args)
    const result = disk?.takesName(name, args) ? undefined : original[name](...args)
    if (name === 'openSync') paths.set(result, args[0])
    if (name === 'fsyncSync') disk?.flushed(paths.get(args[0]))
    if (counts && count === commitAt) disk?.commit()
    return result
  }
}
syncBuiltinESMExports()

function inject(name, args) {
  if (what !== 'kill' && what !== 'power') throw Object.assign(new Error(`${what}: injected, ${name}`), { code: what })
  const data = name === 'writeSync' || name === 'writeFileSync' ? args[1] : ''
  if (data.length > 1) original[name](args[0], data.slice(0, data.length >> 1))
  if (name === 'rmSync') removeHalf(args[0])
  disk?.cut()
  process.kill(process.pid, 'SIGKILL')
  for (;;);
}

function removeHalf(path) {
  if (!original.lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  const names = original.readdirSync(path)
  for (const name of names.slice(0, (names.length + 1) >> 1)) original.rmSync(join(path, name), { recursive: true })
  disk?.flushed(path) // a disk need not keep to the order of what was done in different folders
}

process.on('exit', () => {
  // whatever was told by now has to be there when the power comes back
  if (disk && ++count === at) inject('exit', [])
  disk?.close()
  if (process.env.INJECT_COUNT) original.writeFileSync(process.env.INJECT_COUNT, String(count))
})
