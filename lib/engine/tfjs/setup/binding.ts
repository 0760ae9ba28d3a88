import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Headers of Node-API, for a Node that came without its own. */
const HEADERS = 'node-api-headers@1.9.0'

/**
 * Compiles the package's two files against the library in its `deps`. Node-API is all that they use of Node, so that the
 * compiler alone does; node-gyp would download Node's headers.
 */
export function buildBinding(folder: string): void {
  const [deps, target] = [join(folder, 'deps'), join(folder, 'lib', 'napi-v8')]
  mkdirSync(target, { recursive: true })
  const temporary = mkdtempSync(join(tmpdir(), 'tfjs-binding-'))
  try {
    const part = join(target, 'tfjs_binding.part')
    const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => join(folder, 'binding', file))
    const headers = [nodeHeaders(temporary), join(deps, 'include')].map((include) => `-I${include}`)
    const libraries = ['cc', 'framework'].map((name) => `-l:libtensorflow_${name}.so.2`)
    const link = [`-L${join(deps, 'lib')}`, ...libraries, '-Wl,-rpath,$ORIGIN/../../deps/lib', '-o', part]
    compile(['-std=c++17', '-O2', '-shared', '-fPIC', '-DNAPI_VERSION=8', ...headers, ...sources, ...link])
    renameSync(part, join(target, 'tfjs_binding.node'))
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

function compile(args: readonly string[]): void {
  const compiler = process.env['CXX'] ?? 'g++'
  const { status, error, stderr } = spawnSync(compiler, args, { encoding: 'utf8' })
  if (status === 0) return
  const reason = error ? `${error.message}: install a C++ compiler (Debian: g++), or name one by CXX` : stderr.trim()
  throw new Error(`\`${compiler}\` did not compile the binding: ${reason}`)
}

function nodeHeaders(temporary: string): string {
  const own = join(dirname(dirname(process.execPath)), 'include', 'node')
  if (existsSync(join(own, 'node_api.h'))) return own
  const args = ['install', '--prefix', temporary, '--no-save', '--no-audit', '--no-fund', HEADERS]
  const { status, error, stderr } = spawnSync('npm', args, { encoding: 'utf8', cwd: temporary })
  if (status !== 0) throw new Error(`\`npm ${args.join(' ')}\` failed: ${error?.message ?? stderr.trim()}`)
  return join(temporary, 'node_modules', 'node-api-headers', 'include')
}
