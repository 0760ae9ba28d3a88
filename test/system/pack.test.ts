import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '..', '..')
const managers = join(ROOT, '.cache', 'managers')
const scratch = mkdtempSync(join(tmpdir(), 'pack-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** Variables that npm sets for a script would be read by those that are started from it. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(config|package|lifecycle)_/i.test(name))) // prettier-ignore

async function run(cwd: string, command: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd, env, maxBuffer: 2 ** 26 })
  return stdout
}

/** Of all, no install script runs, as in the project itself. */
const install: Readonly<Record<string, (folder: string, tarball: string) => Promise<unknown>>> = {
  npm: (folder, tarball) => run(folder, 'npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', tarball), // prettier-ignore
  pnpm: (folder, tarball) => run(folder, managed('pnpm'), 'add', '--ignore-scripts', '--store-dir', join(scratch, 'pnpm-store'), tarball), // prettier-ignore
  yarn: (folder, tarball) => run(folder, managed('yarn'), 'add', '--ignore-scripts', '--cache-folder', join(scratch, 'yarn-cache'), `file:${tarball}`), // prettier-ignore
}

/** The package as it is now, packed into a folder of this name. */
async function pack(name: string): Promise<string> {
  const folder = join(scratch, name)
  mkdirSync(folder)
  const [packed] = JSON.parse(await run(ROOT, 'npm', 'pack', '--json', '--pack-destination', folder)) as [{ filename: string }] // prettier-ignore
  return join(folder, packed.filename)
}

const managed = (name: string): string => join(managers, 'node_modules', '.bin', name)

describe('the package', () => {
  let tarball = ''
  /** As `npm pack` alone makes it: where no scripts run, as .npmrc says, none builds dist/ before. */
  let bare = ''
  before(async () => {
    mkdirSync(managers, { recursive: true })
    await run(managers, 'npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', managers, 'pnpm@10', 'yarn@1.22.22') // prettier-ignore
    rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
    bare = await pack('bare')
    await run(ROOT, 'npm', 'run', 'build')
    tarball = await pack('built')
  })
  after(() => rmSync(join(ROOT, 'dist'), { recursive: true, force: true }))

  it('installs into an empty folder, begins a project there, and runs it', async () => {
    const folder = join(scratch, 'empty')
    mkdirSync(folder)
    await install['npm']!(folder, tarball)
    assert.match(await run(folder, 'npx', 'pipeline', 'init'), /\n\nnpx pipeline run\n$/)
    assert.match(await run(folder, 'npx', 'pipeline', 'run'), /finished in .*2 ran/)
    assert.match(await run(folder, 'npx', 'pipeline', 'run'), /2 fresh/)
    assert.match(await run(folder, 'npx', 'pipeline', 'doctor'), /onnx-cpu +yes/)
    assert.match(await run(folder, 'npx', 'pipeline', '--version'), /^\d+\.\d+\.\d+\n$/)
    const own = join(folder, 'node_modules', 'distil-pipeline')
    assert.ok(!existsSync(join(own, 'node_modules', '.cache')), 'nothing is written into the package')
  })

  it('runs as well where it was packed without a build', async () => {
    const folder = join(scratch, 'bare-project')
    const own = join(folder, 'node_modules', 'distil-pipeline')
    mkdirSync(own, { recursive: true })
    await run(own, 'tar', 'xzf', bare, '--strip-components', '1')
    assert.ok(!existsSync(join(own, 'dist')))
    const installed = join(scratch, 'empty', 'node_modules')
    for (const name of readdirSync(installed))
      if (name !== 'distil-pipeline') symlinkSync(join(installed, name), join(folder, 'node_modules', name))
    assert.match(await run(folder, 'npx', 'pipeline', 'init'), /\nnpx pipeline run\n$/)
    assert.match(await run(folder, 'npx', 'pipeline', 'run'), /finished in .*2 ran/)
    assert.match(await run(folder, 'npx', 'pipeline', 'run'), /2 fresh/)
  })

  it('has the embedded default for a project of its own, by what docs/pipelines.md says', async () => {
    const folder = join(scratch, 'default')
    mkdirSync(folder)
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    symlinkSync(join(scratch, 'empty', 'node_modules'), join(folder, 'node_modules'))
    const [, line] = /^```sh\n(sed .*)\n```$/m.exec(readFileSync(join(ROOT, 'docs', 'pipelines.md'), 'utf8'))!
    await run(folder, 'sh', '-c', line!)
    assert.match(await run(folder, 'npx', 'pipeline', 'run', 'tokenize'), /finished in .*2 ran/)
    assert.match(await run(folder, 'npx', 'pipeline', 'status'), /^2 fresh, 11 run$/m)
  })

  it('shows its page, whose script and style came with it', async () => {
    const folder = join(scratch, 'empty')
    const bin = join(folder, 'node_modules', '.bin', 'pipeline')
    const child = spawn(process.execPath, [bin, 'ui', '--json'], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
      const { url } = JSON.parse(line) as { readonly url: string }
      const page = await fetch(url)
      const headers = { cookie: page.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ') } // prettier-ignore
      const get = async (path: string): Promise<string> => (await fetch(new URL(path, url), { headers })).text()
      assert.match(await page.text(), /<script type="module" src="\/page\.js">/)
      for (const name of ['js', 'css'] as const)
        assert.equal(await get(`/page.${name}`), readFileSync(join(folder, 'node_modules/distil-pipeline/dist/ui', `page.${name}`), 'utf8')) // prettier-ignore
      const { total } = JSON.parse(await get('/api/experiments')) as { readonly total: number }
      assert.equal(total, 1)
    } finally {
      child.kill()
      await once(child, 'exit')
    }
  })

  for (const name of ['npm', 'pnpm', 'yarn']) {
    it(`serves a project of its own under ${name}: stages of the package, one in TypeScript, types, the pipeline in code`, async () => {
      const folder = join(scratch, `example-${name}`)
      cpSync(join(ROOT, 'test', 'e2e', 'example'), folder, { recursive: true })
      await install[name]!(folder, tarball)
      const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
      await run(folder, process.execPath, tsc, '--typeRoots', join(ROOT, 'node_modules', '@types'))
      const main = (...args: string[]): Promise<unknown> => run(folder, process.execPath, 'built/main.js', ...args).then(JSON.parse) // prettier-ignore
      const stages = ['world', 'tokenize', 'count']
      assert.deepEqual(await main(), { said: stages.map((stage) => `${stage} ran`), named: 3 })
      assert.deepEqual(await main(), { said: stages.map((stage) => `${stage} fresh`), named: 3 })
      assert.deepEqual(await main('most=4'), { said: ['world fresh', 'tokenize fresh', 'count ran'], named: 4 })
    })
  }

  it('says what is wrong with a pipeline in code as with one in a file', async () => {
    const folder = join(scratch, 'empty')
    const text = `import { definePipeline } from 'distil-pipeline'
const ran = await definePipeline({ version: 1, stages: { a: { run: 'none.ts' } } }).run()
console.log(JSON.stringify(ran.ok ? ran.value : ran.error.map(({ code, place }) => [code, place.file])))`
    writeFileSync(join(folder, 'wrong.mjs'), text)
    assert.deepEqual(JSON.parse(await run(folder, process.execPath, 'wrong.mjs')), [['PROGRAM_MISSING', 'definePipeline()']]) // prettier-ignore
  })

  it('gives its stages the code digests that they have in a clone', () => {
    const digestIn = (folder: string): string => {
      const [key] = readdirSync(join(folder, 'artifacts', 'store', 'tokenize')).filter((name) => /^[0-9a-f]{64}$/.test(name)) // prettier-ignore
      const manifest = readFileSync(join(folder, 'artifacts', 'store', 'tokenize', key!, 'manifest.json'), 'utf8')
      return (JSON.parse(manifest) as { readonly record: { readonly code: string } }).record.code
    }
    const [first, ...others] = ['npm', 'pnpm', 'yarn'].map((name) => digestIn(join(scratch, `example-${name}`)))
    assert.deepEqual(others, [first, first])
  })
})
