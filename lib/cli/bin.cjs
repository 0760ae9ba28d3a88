#!/usr/bin/env node
// Starts the command from a bundle of its sources, made anew when one of them has changed. Until then nothing but
// this file, the stat calls below and the bundle is loaded, and no loader of ES modules: start-up is what a person waits
// for most often.
const { existsSync, readFileSync, renameSync, statSync, writeFileSync } = require('fs')
const { dirname, join } = require('path')
const { pathToFileURL } = require('url')

const root = dirname(dirname(__dirname))
const cache = join(root, 'node_modules', '.cache', 'pipeline', 'cli')
const args = process.argv.slice(2)
/** Bytes of a sha256. */
const SEAL = 32

if (args.length === 1 && ['--version', '-V'].includes(args[0])) {
  console.log(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)
} else if (existsSync(join(root, 'package-lock.json')) || !existsSync(join(root, 'dist', 'main.cjs'))) {
  const main = current()
  if (main !== undefined) start(join(cache, main))
  else void import('./build.mjs').then(async ({ build }) => start(join(cache, await build(root, cache))))
} else start(join(root, 'dist', 'main.cjs')) // a published package has no lockfile, and the bundle ready made; one that was packed without it makes it as a clone does

/** The bundle's main file, if everything that went into it is as it was. */
function current() {
  try {
    const { main, inputs } = JSON.parse(readFileSync(join(cache, 'current.json'), 'utf8'))
    for (const [path, size, mtime, ctime, ino] of inputs) {
      const stat = statSync(`${root}/${path}`)
      if (stat.size !== size || stat.mtimeMs !== mtime || stat.ctimeMs !== ctime || stat.ino !== ino) return undefined
    }
    statSync(join(cache, main))
    return main
  } catch {
    return undefined
  }
}

/** Runs the bundle, compiled as an earlier start of the same command left it. */
function start(file) {
  const { createRequire } = require('module')
  const { Script } = require('vm')
  const command = /^(?:--)?([a-z]+)$/.exec(args[0] ?? 'help')?.[1]
  const kept = join(dirname(file), `${command}-${process.version}-${process.arch}.code`)
  const script = new Script(readFileSync(file, 'latin1'), { filename: file, cachedData: readKept(kept) })
  if (script.cachedDataRejected !== false && command !== undefined)
    process.once('exit', (code) => keep(script, kept, code))
  const module = { exports: {} }
  script.runInThisContext()(createRequire(file), module, module.exports, pathToFileURL(file).href)
}

function sealOf(code) {
  return require('crypto').createHash('sha256').update(code).digest()
}

/** Below the digest of itself: not every V8 looks whether what it kept is whole. Undefined where it is not. */
function readKept(file) {
  try {
    const bytes = readFileSync(file)
    const code = bytes.subarray(SEAL)
    return sealOf(code).equals(bytes.subarray(0, SEAL)) ? code : undefined
  } catch {
    return undefined
  }
}

function keep(script, file, exitCode) {
  if (exitCode !== 0) return
  try {
    const code = script.createCachedData()
    const temporary = `${file}.${process.pid}-${Date.now()}.tmp`
    writeFileSync(temporary, Buffer.concat([sealOf(code), code]))
    renameSync(temporary, file)
  } catch {
    // a folder that cannot be written costs the next start its time
  }
}
