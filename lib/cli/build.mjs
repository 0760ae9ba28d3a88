// Bundles the command: packages and all, except esbuild, which carries a binary. Split, so that `--version` does not
// load what `run` needs.
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import * as esbuild from 'esbuild'

/** A run in progress may still load parts of an older bundle. */
const KEEP_MS = 7 * 24 * 3600 * 1000

/** Makes the bundle and gives its main file, relative to `cache`. */
export async function build(root, cache) {
  const started = Date.now()
  const result = await bundle(root, cache, { main: join(root, 'lib', 'cli', 'main.ts') })
  const folder = publish(result.outputFiles, cache)
  const main = join(folder, 'main.mjs')
  remember(root, cache, main, Object.keys(result.metafile.inputs), started)
  removeOld(cache, folder)
  return main
}

/** The entries and what they share, as they would lie in `outdir`. */
export const bundle = (root, outdir, entryPoints) =>
  esbuild.build({
    entryPoints,
    absWorkingDir: root,
    outdir,
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    legalComments: 'none',
    external: ['esbuild'],
    outExtension: { '.js': '.mjs' },
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, target: 'es2023' } },
    // packages of the older module format call require for what Node itself has
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
    plugins: [compiledValidator(root), namedImports(root)],
    logLevel: 'silent',
  })

/** lib/pipeline/validator.ts compiles the schema with ajv; the bundle gets what ajv makes of it, and no ajv. */
const compiledValidator = (root) => ({
  name: 'compiled-validator',
  setup(build) {
    build.onLoad({ filter: /[\\/]lib[\\/]pipeline[\\/]validator\.ts$/ }, async ({ path }) => ({
      contents: await validatorCode(root, path),
      loader: 'js',
      resolveDir: dirname(path),
      watchFiles: [path],
    }))
  },
})

async function validatorCode(root, path) {
  const schema = join(dirname(path), 'schema.ts')
  const [{ Ajv }, { default: standalone }, { documentSchema }, { ajvOptions }] = await Promise.all([
    import('ajv'),
    import('ajv/dist/standalone/index.js'),
    evaluate(root, schema),
    evaluate(root, join(dirname(path), 'ajv-options.ts')),
  ])
  const ajv = new Ajv({ ...ajvOptions, code: { source: true, esm: true } })
  const code = (standalone.default ?? standalone)(ajv, ajv.compile(documentSchema))
  // the schema's files are imported for nothing but to stand among what the bundle was made from
  return `import './schema.ts';import './ajv-options.ts';${code}
export const validateDocument = (document) => (validate(document) ? [] : (validate.errors ?? []))`
}

/**
 * `const { PGraph } = await import('p-graph')`: of a package in the older module format, a split bundle exports the
 * default alone. The names that Node sees are written out for it.
 */
const namedImports = (root) => ({
  name: 'named-imports',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'dynamic-import' && path !== 'esbuild' && !path.startsWith('node:')
        ? { path, namespace: 'named' }
        : undefined,
    )
    build.onLoad({ filter: /.*/, namespace: 'named' }, async ({ path }) => {
      const names = Object.keys(await import(path)).filter(
        (name) => name !== 'default' && /^[A-Za-z_$][\w$]*$/.test(name),
      )
      return { contents: `export { ${names.join(', ')} } from ${JSON.stringify(path)}`, resolveDir: root }
    })
  },
})

/** Runs a module of plain values at bundling time. */
async function evaluate(root, file) {
  const { outputFiles } = await esbuild.build({
    entryPoints: [file],
    absWorkingDir: root,
    bundle: true,
    write: false,
    format: 'esm',
  })
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`)
}

/** Each bundle has a folder named by its content, there whole or not at all: several commands may start at once. */
function publish(files, cache) {
  const hash = createHash('sha256')
  for (const { path, contents } of files) hash.update(basename(path)).update(contents)
  const folder = hash.digest('hex').slice(0, 32)
  if (existsSync(join(cache, folder, 'main.mjs'))) return folder
  const temporary = join(cache, `${folder}.${randomBytes(6).toString('hex')}.tmp`)
  mkdirSync(temporary, { recursive: true })
  for (const { path, contents } of files) writeFileSync(join(temporary, basename(path)), contents)
  try {
    renameSync(temporary, join(cache, folder))
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    if (!existsSync(join(cache, folder, 'main.mjs'))) throw error
  }
  return folder
}

/** What to look at on the next start: this project's own sources; of packages, the one file that npm writes last. */
function remember(root, cache, main, inputs, started) {
  const own = inputs.filter((path) => !path.split('/').includes('node_modules') && existsSync(join(root, path)))
  const here = ['lib/cli/bin.mjs', 'lib/cli/build.mjs', 'node_modules/.package-lock.json'].filter((path) =>
    existsSync(join(root, path)),
  )
  const stats = [...new Set([...own, ...here])].map((path) => [path, statSync(join(root, path))])
  // a file that was written while it was read may be newer than the bundle: the next start looks again
  if (stats.some(([, stat]) => Math.max(stat.mtimeMs, stat.ctimeMs) >= started - 20)) return
  const record = { main, inputs: stats.map(([path, stat]) => [path, stat.size, stat.mtimeMs, stat.ctimeMs, stat.ino]) }
  const temporary = join(cache, `current.${randomBytes(6).toString('hex')}.tmp`)
  writeFileSync(temporary, JSON.stringify(record))
  renameSync(temporary, join(cache, 'current.json'))
}

function removeOld(cache, folder) {
  for (const name of readdirSync(cache)) {
    if (name === folder || name === 'current.json') continue
    const path = join(cache, name)
    try {
      if (Date.now() - statSync(path).mtimeMs > KEEP_MS) rmSync(path, { recursive: true, force: true })
    } catch {
      // another command removed it first
    }
  }
}
