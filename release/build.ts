// npm run build: what a published package has beside its sources, in dist/: the command and the library as JavaScript, the
// programs that run in child processes, and the types. `npm pack` packs it.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { bundle } from '../lib/cli/build.mjs'
import { build } from '../lib/pipeline/bundle-build.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

rmSync(dist, { recursive: true, force: true })
await writeCommand()
await writePrograms()
writeTypes()

/** One bundle for both, so that they share what they have in common. */
async function writeCommand(): Promise<void> {
  const entries = { main: join(root, 'lib/cli/main.ts'), index: join(root, 'lib/api/index.ts') }
  mkdirSync(dist, { recursive: true })
  for (const { path, contents } of (await bundle(root, dist, entries)).outputFiles)
    writeFileSync(join(dist, basename(path)), contents)
}

/** Each is found by its name, what it starts as a thread by digest, as in the cache of a clone. */
async function writePrograms(): Promise<void> {
  const folder = join(dist, 'programs')
  mkdirSync(folder)
  const tools = readdirSync(join(root, 'lib/tools')).map((file) => join('lib/tools', file))
  for (const file of ['lib/pipeline/host.ts', 'lib/pipeline/audit-hook.ts', ...tools]) {
    const built = await build(join(root, file), root, 'leave')
    if (!built.ok) throw built.error
    writeFileSync(join(folder, `${basename(file, '.ts')}.mjs`), built.value.code.bytes)
    for (const { digest, bytes } of built.value.workers) writeFileSync(join(folder, `${digest}.mjs`), bytes)
  }
}

function writeTypes(): void {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '--project', join(root, 'release/tsconfig.json')], { stdio: 'inherit' })
}
