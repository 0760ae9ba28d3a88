// Loaded before the command and what it starts: notes each path that is made, also one that is gone a moment later, as
// a line of JSON in the file NOTE_PATHS.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { resolve } from 'node:path'

/** Name of a function to the index of its argument that is made. */
const MAKES = {
  mkdir: 0,
  writeFile: 0,
  appendFile: 0,
  open: 0,
  rename: 1,
  symlink: 1,
  link: 1,
  copyFile: 1,
  cp: 1,
}

const notes = fs.openSync(process.env.NOTE_PATHS, 'a')

function note(path) {
  if (typeof path === 'string') fs.writeSync(notes, `${JSON.stringify(resolve(path))}\n`)
}

const isRead = (name, args) => name.startsWith('open') && (typeof args[1] !== 'string' || args[1] === 'r')

function noting(name, make, index) {
  return function (...args) {
    if (!isRead(name, args)) note(args[index])
    return make.apply(this, args)
  }
}

for (const [name, index] of Object.entries(MAKES)) {
  for (const one of [name, `${name}Sync`]) fs[one] = noting(one, fs[one], index)
  fs.promises[name] = noting(name, fs.promises[name], index)
}
fs.createWriteStream = noting('createWriteStream', fs.createWriteStream, 0)
syncBuiltinESMExports()
