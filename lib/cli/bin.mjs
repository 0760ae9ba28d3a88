#!/usr/bin/env node
// Starts the command from a bundle of its sources, made anew when one of them has changed. Until then nothing but
// this file, the stat calls below and the bundle is loaded: start-up is what a person waits for most often.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const cache = join(root, 'node_modules', '.cache', 'pipeline', 'cli')

// a published package has no lockfile, and the bundle ready made
const main = existsSync(join(root, 'package-lock.json'))
  ? join(cache, current() ?? (await (await import('./build.mjs')).build(root, cache)))
  : join(root, 'dist', 'main.mjs')
await import(pathToFileURL(main).href)

/** The bundle's main file, if everything that went into it is as it was. */
function current() {
  try {
    const { main, inputs } = JSON.parse(readFileSync(join(cache, 'current.json'), 'utf8'))
    for (const [path, size, mtime, ctime, ino] of inputs) {
      const stat = statSync(join(root, path))
      if (stat.size !== size || stat.mtimeMs !== mtime || stat.ctimeMs !== ctime || stat.ino !== ino) return undefined
    }
    statSync(join(cache, main))
    return main
  } catch {
    return undefined
  }
}
