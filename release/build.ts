// npm run build: what a published package has beside its sources, in dist/: the command and the library as JavaScript, the
// programs that run in child processes, and the types. `npm pack` packs it.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import * as esbuild from 'esbuild'
import { compiledValidator, scripts } from '../lib/cli/build.mjs'
import { build } from '../lib/pipeline/bundle-build.ts'
import { PROGRAMS } from '../lib/pipeline/host-bundle.ts'
import { PAGE_FOLDER, bundlePage } from '../lib/ui/page-files.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

rmSync(dist, { recursive: true, force: true })
await writeCommand()
await writeLibrary()
await writePrograms()
await writePage()
writeTypes()

async function writeCommand(): Promise<void> {
  mkdirSync(dist, { recursive: true })
  const { files } = await scripts(root, dist)
  for (const { path, contents } of files) writeFileSync(join(dist, basename(path)), contents)
}

/** What is imported by a project's own code; packages are those that it installs with this one. */
async function writeLibrary(): Promise<void> {
  await esbuild.build({
    entryPoints: { index: join(root, 'lib/api/index.ts') },
    outdir: dist,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    // what ajv compiles requires a part of it
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, target: 'es2023' } },
    plugins: [compiledValidator(root)],
    logLevel: 'error',
  })
}

/** By digest, as they lie in the cache of a clone. */
async function writePrograms(): Promise<void> {
  const folder = join(dist, 'programs')
  mkdirSync(folder)
  const tools = readdirSync(join(root, 'lib/tools')).map((file) => `tools/${file}`)
  const programs: Record<string, { readonly digest: string; readonly workers: readonly string[] }> = {}
  for (const entry of ['pipeline/host.ts', 'pipeline/audit-hook.ts', 'pipeline/executor/job.ts', ...tools]) {
    const built = await build(join(root, 'lib', entry), root, 'leave')
    if (!built.ok) throw built.error
    const { code, workers } = built.value
    for (const { digest, bytes } of [code, ...workers]) writeFileSync(join(folder, `${digest}.mjs`), bytes)
    programs[entry] = { digest: code.digest, workers: workers.map(({ digest }) => digest) }
  }
  writeFileSync(join(folder, PROGRAMS), JSON.stringify(programs, null, 2))
}

/** What `pipeline ui` serves. */
async function writePage(): Promise<void> {
  mkdirSync(join(root, PAGE_FOLDER))
  for (const [name, bytes] of Object.entries(await bundlePage(root)))
    writeFileSync(join(root, PAGE_FOLDER, name), bytes)
}

function writeTypes(): void {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '--project', join(root, 'release/tsconfig.json')], { stdio: 'inherit' })
}
