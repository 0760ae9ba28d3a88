// Bundles the command: packages and all, except esbuild, which carries a binary. One script, which V8 can keep compiled;
// each module in it runs when it is first imported, so that `--version` does not run what `run` needs.
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import * as esbuild from 'esbuild'

/** A run in progress may still load parts of an older bundle. */
const KEEP_MS = 7 * 24 * 3600 * 1000

/** Makes the bundle and gives its main file, relative to `cache`. */
export async function build(root, cache) {
  const started = Date.now()
  const { files, inputs } = await scripts(root, cache)
  const folder = publish(files, cache)
  const file = join(folder, 'main.cjs')
  remember(root, cache, file, inputs, started)
  removeOld(cache, folder)
  return file
}

/** The command's main.cjs and the scripts of its packages, as they would lie in `outdir`, and what they were made from. */
export async function scripts(root, outdir) {
  const packages = new Set()
  const plugins = [compiledValidator(root), ownScripts(packages)]
  const main = await bundle(root, outdir, { main: join(root, 'lib', 'cli', 'main.ts') }, plugins)
  const entries = Object.fromEntries([...packages].sort().map((name) => [fileOf(name).replace(/\.cjs$/, ''), name]))
  const others = await bundle(root, outdir, entries, [separatePackages(packages)])
  const files = [...main.outputFiles.map(started), ...others.outputFiles]
  return { files, inputs: Object.keys(main.metafile.inputs) }
}

/** As the launcher starts it: one function; and ASCII alone, whose bytes are a string of V8 as they are. */
const started = ({ path, text }) => {
  const ascii = text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return { path, contents: Buffer.from(`(function(require,module,exports,__url){${ascii}})`) }
}

const bundle = (root, outdir, entryPoints, plugins) =>
  esbuild.build({
    ...{ entryPoints, outdir, plugins },
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    legalComments: 'none',
    external: ['esbuild'],
    outExtension: { '.js': '.cjs' },
    // a quarter less to read at each start; names stay, and lines that a stack trace can point to
    ...{ minifyWhitespace: true, minifySyntax: true, lineLimit: 120 },
    supported: { 'dynamic-import': false }, // the launcher's script has none
    define: { 'import.meta.url': '__url' },
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, target: 'es2023' } },
    logLevel: 'silent',
  })

/** What every start needs, and what has to be there as it is. */
const INSIDE = /^(commander|p-limit|esbuild|ajv\/dist\/.*|node:.*)$/
/** What takes long to load and is not always used, although it is imported in a file that is. */
const LAZY =
  /^(yaml|resolve\.exports|node:(child_process|readline|stream\/promises|timers\/promises|worker_threads|zlib))$/

const fileOf = (name) => `${name.replaceAll('/', '+')}.cjs`

/** Each package but those has a script of its own; what is lazy is loaded when one of its names is first used. */
const ownScripts = (packages) => ({
  name: 'own-scripts',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, ({ path, importer, namespace }) => {
      if (LAZY.test(path) && namespace !== 'lazy') return { path, namespace: 'lazy' }
      if (importer.split(sep).includes('node_modules') || importer === '' || INSIDE.test(path)) return undefined
      packages.add(path)
      return { path: `./${fileOf(path)}`, external: true }
    })
    build.onLoad({ filter: /.*/, namespace: 'lazy' }, async ({ path }) => {
      const names = Object.keys(await import(path)).map((name) => JSON.stringify(name))
      const getters = names.map((name) => `get ${name}(){return load()[${name}]}`)
      return {
        contents: `let it;const load=()=>it??=require(${JSON.stringify(path)});module.exports={${getters.join()}}`,
      }
    })
  },
})

/** One package that imports another shares it with the command. */
const separatePackages = (packages) => ({
  name: 'separate-packages',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind !== 'entry-point' && packages.has(path) ? { path: `./${fileOf(path)}`, external: true } : undefined,
    )
  },
})

/** lib/pipeline/validator.ts compiles the schema with ajv; the bundle gets what ajv makes of it, and no ajv. */
export const compiledValidator = (root) => ({
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
  if (existsSync(join(cache, folder, 'main.cjs'))) return folder
  const temporary = join(cache, `${folder}.${randomBytes(6).toString('hex')}.tmp`)
  mkdirSync(temporary, { recursive: true })
  for (const { path, contents } of files) writeFileSync(join(temporary, basename(path)), contents)
  try {
    renameSync(temporary, join(cache, folder))
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    if (!existsSync(join(cache, folder, 'main.cjs'))) throw error
  }
  return folder
}

/** What to look at on the next start: this project's own sources; of packages, the one file that npm writes last. */
function remember(root, cache, main, inputs, started) {
  const own = inputs.filter((path) => !path.split('/').includes('node_modules') && existsSync(join(root, path)))
  const here = ['lib/cli/bin.cjs', 'lib/cli/build.mjs', 'node_modules/.package-lock.json'].filter((path) =>
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
