import { existsSync, readFileSync } from 'node:fs'
import { dirname, extname, join, relative, resolve, sep } from 'node:path'
import type { BuildFailure, BuildOptions, Loader, Message, Metafile, Plugin } from 'esbuild'
import { Failure } from '../util/failure.ts'
import { packageRoot } from '../util/package-root.ts'
import { err, ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import { sha256 } from './canonical.ts'
import type { Digest } from './canonical.ts'
import { readJson } from './files.ts'
import { packageName } from './packages.ts'
import { exportedFile } from './stage-package.ts'

interface Bytes {
  readonly digest: Digest
  readonly bytes: Uint8Array
}

/** An import of a path that is a variable: refused in a stage, whose code must be known; the host has one, for the stage. */
export type DynamicImports = 'refuse' | 'leave'

export interface Built {
  readonly code: Bytes
  readonly workers: readonly Bytes[]
  /** Every file that went in, relative to `root`. */
  readonly sources: readonly { readonly path: string; readonly digest: Digest }[]
  /** Names of the packages imported. */
  readonly imports: readonly string[]
}

/**
 * Runs esbuild. The bytes do not depend on where the project lies, on comments, on types, or on its tsconfig.json.
 * `new Worker(new URL('./w.ts', import.meta.url))` makes of w.ts a bundle of its own, named by digest beside this one.
 */
export async function build(
  entry: string,
  root: string,
  dynamicImports: DynamicImports,
): Promise<Result<Built, Failure>> {
  try {
    return ok(await bundleEntry(collected(root, dynamicImports), entry, []))
  } catch (error) {
    if (error instanceof Failure) return err(error)
    const message = (error as Partial<BuildFailure>).errors?.[0]
    if (message === undefined) throw error
    if (message.detail instanceof Failure) return err(message.detail)
    return err(buildFailure(message, entry))
  }
}

interface Collected {
  readonly root: string
  readonly dynamicImports: DynamicImports
  readonly workers: Map<Digest, Uint8Array>
  readonly sources: Map<string, Digest>
  readonly imports: Set<string>
}

const collected = (root: string, dynamicImports: DynamicImports): Collected => ({
  root,
  dynamicImports,
  workers: new Map(),
  sources: new Map(),
  imports: new Set(),
})

async function bundleEntry(all: Collected, entry: string, above: readonly string[]): Promise<Built> {
  if (above.includes(entry))
    throw new Failure(
      'BUNDLE_WORKER',
      `"${entry}" starts itself as a worker thread. Give the worker a file of its own.`,
    )
  const esbuild = await import('esbuild')
  const result = await esbuild.build(optionsOf(all, entry, above))
  collectImports(all, result.metafile)
  const bytes = result.outputFiles[0]!.contents
  return {
    code: { digest: sha256(bytes), bytes },
    workers: [...all.workers].map(([digest, worker]) => ({ digest, bytes: worker })),
    sources: [...all.sources].map(([path, digest]) => ({ path, digest })).sort((a, b) => (a.path < b.path ? -1 : 1)),
    imports: [...all.imports].sort(),
  }
}

function optionsOf(all: Collected, entry: string, above: readonly string[]) {
  return {
    entryPoints: [entry],
    absWorkingDir: all.root,
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    minifyWhitespace: true,
    legalComments: 'none',
    charset: 'utf8',
    logLevel: 'silent',
    loader: { '.wasm': 'binary' },
    // type imports go, the project's own tsconfig stays out of the digest
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, target: 'es2023' } },
    logOverride: all.dynamicImports === 'refuse' ? REFUSED : {},
    plugins: [ownPackage(), sources(all, [...above, entry])],
  } satisfies BuildOptions
}

/** Where in the sources each place of the bundle is from, paths relative to `root`; undefined if they make another one now. */
export async function sourceMapOf(entry: string, root: string, digest: Digest): Promise<string | undefined> {
  const all = collected(root, 'refuse')
  const options = { ...optionsOf(all, entry, []), sourcemap: 'external', sourcesContent: false } as const
  const { build: make } = await import('esbuild')
  try {
    const { outputFiles } = await make({ ...options, outfile: join(root, 'bundle.mjs') })
    const code = outputFiles.find(({ path }) => path.endsWith('.mjs'))!
    return sha256(code.contents) === digest ? outputFiles.find(({ path }) => path.endsWith('.map'))!.text : undefined
  } catch {
    return undefined // sources that cannot be bundled any more
  }
}

const REFUSED = { 'unsupported-dynamic-import': 'error', 'unsupported-require-call': 'error' } as const

/**
 * What a project elsewhere imports of this package is bundled like the project's own code: no Node runs the TypeScript
 * that lies in a package, and a changed `defineStage` is changed code.
 */
function ownPackage(): Plugin {
  const root = packageRoot()
  const { name, exports } = readJson(join(root, 'package.json')) as {
    readonly name: string
    readonly exports: Readonly<Record<string, unknown>>
  }
  return {
    name: 'own-package',
    setup(build) {
      build.onResolve({ filter: new RegExp(`^${name}(/|$)`) }, ({ path }) => {
        const file = exportedFile(root, `.${path.slice(name.length)}`)
        if (file !== undefined) return { path: file }
        return { errors: [{ text: `"${path}" is not what "${name}" exports: ${Object.keys(exports).join(', ')}.` }] }
      })
    },
  }
}

/** Reads every source itself, so that the digests are those of the very bytes that were bundled. */
function sources(all: Collected, above: readonly string[]): Plugin {
  return {
    name: 'sources',
    setup(build) {
      build.onLoad({ filter: /.*/, namespace: 'file' }, async ({ path }) => {
        const bytes = readFileSync(path)
        all.sources.set(relative(all.root, path).split(sep).join('/'), sha256(bytes))
        const loader = LOADERS[extname(path)]
        if (loader === undefined) return undefined
        const contents = loader === 'binary' ? bytes : await withWorkers(all, bytes.toString('utf8'), path, above)
        return { contents, loader, resolveDir: dirname(path) }
      })
    },
  }
}

const LOADERS: Readonly<Record<string, Loader>> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.tsx': 'tsx',
  '.js': 'js',
  '.mjs': 'js',
  '.cjs': 'js',
  '.jsx': 'jsx',
  '.json': 'json',
  '.wasm': 'binary',
}

const WORKER = /new\s+Worker\(\s*new\s+URL\(\s*(['"])(\.{1,2}\/[^'"]+\.[cm]?[jt]s)\1\s*,\s*import\.meta\.url\s*,?\s*\)/g

async function withWorkers(all: Collected, text: string, path: string, above: readonly string[]): Promise<string> {
  let result = text
  for (const [match, , target] of text.matchAll(WORKER)) {
    const file = resolve(dirname(path), target!)
    if (!existsSync(file)) continue // as in the comment above: said by Node where it is real
    const worker = await bundleEntry(all, file, above)
    all.workers.set(worker.code.digest, worker.code.bytes)
    result = result.replace(match, `new Worker(new URL('./${worker.code.digest}.mjs',import.meta.url)`)
  }
  return result
}

function collectImports(all: Collected, metafile: Metafile): void {
  for (const output of Object.values(metafile.outputs)) {
    for (const { path, external } of output.imports) {
      const name = external === true ? packageName(path) : undefined
      if (name !== undefined) all.imports.add(name)
    }
  }
}

function buildFailure(message: Message, entry: string): Failure {
  const dynamic = message.id === 'unsupported-dynamic-import' || message.id === 'unsupported-require-call'
  const what = dynamic
    ? 'An import whose path is only known when it runs cannot be hashed beforehand. Write the path as a plain string, one import for each module.'
    : message.text
  const at = message.location
  if (at === null) return new Failure('BUNDLE_FAILED', `"${entry}" cannot be bundled: ${what}`)
  const place = { file: at.file, line: at.line, column: at.column + 1, text: at.lineText }
  return new Failure(dynamic ? 'BUNDLE_DYNAMIC_IMPORT' : 'BUNDLE_FAILED', what, { place })
}
