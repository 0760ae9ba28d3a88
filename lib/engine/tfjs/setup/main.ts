import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { buildBinding } from './binding.ts'
import { installPublished } from './published.ts'
import { fetchLibrary, isInstalled, wheelFor } from './wheel.ts'

// npm run setup:tfjs-node: gives the engine tfjs-node-gpu the native part of its package, which is installed without: npm runs
// no script of a package here. Where all is there already, it only tries it.

const say = (line: string): void => void process.stdout.write(`${line}\n`)

try {
  await setUp(packageFolder())
} catch (error) {
  process.stderr.write(`error: ${(error as Error).message}\n`)
  process.exitCode = 1
}

async function setUp(folder: string): Promise<void> {
  const deps = join(folder, 'deps')
  const wheel = wheelFor(existsSync('/dev/nvidiactl'))
  // of the package's own installer, whose library computes on a card and without one
  const own = existsSync(join(deps, 'lib', 'libtensorflow.so.2'))
  const there = own || isInstalled(deps, wheel) ? product() : undefined
  if (there?.device !== undefined) {
    say(`It is there: 1 · 3 + 2 · 4 = 11 by ${there.device}.`)
    return
  }
  say("The package's own installer downloads TensorFlow's library and the binding …")
  const failure = installPublished(folder)
  const published: Tried = failure === undefined ? product() : { why: failure }
  if (published.device !== undefined) {
    say(`1 · 3 + 2 · 4 = 11 by ${published.device}.`)
    return
  }
  say(`That does not work here (${published.why}).`)
  say(`${wheel} from PyPI, without its Python: about 250 MB to fetch, 680 MB to keep in ${deps} …`)
  await fetchLibrary(deps, wheel)
  say('The binding, from the source in the package …')
  buildBinding(folder)
  const { device, why } = product()
  if (device === undefined) throw new Error(`all was installed, and the engine does not compute: ${why}`)
  say(`1 · 3 + 2 · 4 = 11 by ${device}.`)
}

function packageFolder(): string {
  const name = '@tensorflow/tfjs-node-gpu'
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))
  } catch {
    throw new Error(`the package ${name} is not installed: run \`npm install\` first, without --omit=optional`)
  }
}

interface Tried {
  /** What the engine computes on; absent where it does not. */
  readonly device?: string
  readonly why: string
}

/** A product by the engine, in a process of its own: a library that does not fit can end it. */
function product(): Tried {
  const program = join(import.meta.dirname, 'product.ts')
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program], {
    encoding: 'utf8',
    cwd: join(import.meta.dirname, '../../../..'), // where tsx is found
  })
  if (status === 0) return { device: stdout.trim(), why: '' }
  return { why: lastLine(stderr) || `it ended by ${signal ?? `exit code ${status}`}` }
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1)!
