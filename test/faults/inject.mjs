// Loaded before a driver: at the INJECT_AT-th write below INJECT_ONLY, kills the process (INJECT=kill: before it, or half
// way through it where it writes bytes or removes a tree), cuts the power (INJECT=power: the same, and what was not
// flushed to disk is half there), or lets the write fail with a code (INJECT=ENOSPC). Tells how many writes there were.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'

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
/** Inode and modification time of what was flushed. */
const flushed = new Set()

const isRead = (name, args) => name === 'openSync' && (args[1] === undefined || args[1] === 'r')
const isBelow = (args) => {
  const names = typeof args[0] === 'number' ? [paths.get(args[0])] : args
  return names.some((one) => typeof one === 'string' && one.includes(only))
}

for (const name of WRITES) {
  fs[name] = (...args) => {
    if (!isRead(name, args) && isBelow(args) && ++count === at) inject(name, args)
    const result = original[name](...args)
    if (name === 'openSync') paths.set(result, args[0])
    if (name === 'fsyncSync') flushed.add(state(original.fstatSync(args[0], { bigint: true })))
    return result
  }
}
syncBuiltinESMExports()

function inject(name, args) {
  if (what !== 'kill' && what !== 'power') throw Object.assign(new Error(`${what}: injected, ${name}`), { code: what })
  const data = name === 'writeSync' || name === 'writeFileSync' ? args[1] : ''
  if (data.length > 1) original[name](args[0], data.slice(0, data.length >> 1))
  if (name === 'rmSync') removeHalf(args[0])
  if (what === 'power') process.env.INJECT_ROOTS.split(':').forEach(loseUnflushed)
  process.kill(process.pid, 'SIGKILL')
  for (;;);
}

function removeHalf(path) {
  if (!original.lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  const names = original.readdirSync(path)
  for (const name of names.slice(0, (names.length + 1) >> 1)) original.rmSync(join(path, name), { recursive: true })
}

const state = ({ ino, mtimeNs }) => `${ino} ${mtimeNs}`

/** Of a file that no fsync has followed, a power cut may leave the name and half of the content. */
function loseUnflushed(path) {
  const stat = original.lstatSync(path, { bigint: true, throwIfNoEntry: false })
  if (stat?.isDirectory()) for (const name of original.readdirSync(path)) loseUnflushed(join(path, name))
  if (!stat?.isFile() || stat.size === 0n || flushed.has(state(stat))) return
  original.chmodSync(path, 0o644)
  original.truncateSync(path, Number(stat.size) >> 1)
}

process.on('exit', () => {
  if (process.env.INJECT_COUNT) original.writeFileSync(process.env.INJECT_COUNT, String(count))
})
