import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { Place, outcomes } from './command.ts'
import type { Line } from './command.ts'
import { makeProject } from './project.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const run = promisify(execFile)

/** The project's own copy of the command, as `npx pipeline` finds it. */
async function pipeline(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(join(folder, 'node_modules', '.bin', 'pipeline'), args, { cwd: folder })
  return stdout
}

/** Variables that npm sets for a script stand above what a project's .npmrc says. */
const outside = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(config|package|lifecycle)_/i.test(name))) // prettier-ignore

const lastOf = async (folder: string, ...args: string[]): Promise<string[]> =>
  outcomes(JSON.parse((await pipeline(folder, 'run', '--json', ...args)).trimEnd().split('\n').at(-1)!) as Line)

it('a new project installs, runs, is fresh the second time, and its types are right', async (t) => {
  const own = makeProject(t)
  const place = new Place(t)
  const app = join(place.root, 'My App')
  const { stdout } = await run(process.execPath, [join(own.root, 'lib/cli/bin.cjs'), 'init', 'My App'], {
    cwd: place.root,
  })
  assert.match(stdout, /npm install\nnpx pipeline run\n$/)
  const { name } = JSON.parse(place.read('My App/package.json')) as { name: string }
  assert.equal(name, 'my-app')
  const npm = ['install', '--omit=dev', '--prefer-offline', '--no-audit', '--no-fund']
  await run('npm', npm, { cwd: app, env: outside })
  // as npm was told when it installed them: a script of onnxruntime-node needs a host of its own
  assert.equal((await run('npm', ['config', 'get', 'ignore-scripts'], { cwd: app, env: outside })).stdout, 'true\n')
  assert.deepEqual(await lastOf(app), ['hello: ran', 'count: ran'])
  assert.deepEqual(await lastOf(app), ['hello: fresh', 'count: fresh'])
  assert.equal(readFileSync(join(app, 'artifacts/hello/text'), 'utf8'), 'Hello, world!\n'.repeat(3))
  assert.deepEqual(await lastOf(app, '--set', 'times=4'), ['hello: ran', 'count: ran'])

  const schema = readFileSync(join(app, 'pipeline.schema.json'), 'utf8')
  assert.match(JSON.stringify(JSON.parse(schema)), /"const":"stages\/hello\.ts".*"times"/)
  await pipeline(app, 'schema')
  assert.equal(readFileSync(join(app, 'pipeline.schema.json'), 'utf8'), schema, 'what `init` wrote is right')

  const types = ['--typeRoots', join(ROOT, 'node_modules', '@types'), '--project', app]
  await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...types])

  // the same bytes of code wherever the package lies: results stay
  renameSync(own.root, `${own.root}-moved`)
  t.after(() => renameSync(`${own.root}-moved`, own.root))
  place.write('My App/package.json', place.read('My App/package.json').replace(/"file:[^"]*/, `$&-moved`))
  await run('npm', npm, { cwd: app, env: outside })
  assert.deepEqual(await lastOf(app), ['hello: restored', 'count: restored'])
})

it('overwrites nothing, and says what is there; a package.json stays', async (t) => {
  const place = new Place(t)
  place.write('package.json', '{ "name": "mine" }')
  place.write('stages/hello.ts', 'mine')
  place.write('.gitignore', 'mine')
  const { code, errors } = await place.run('init')
  assert.equal(code, 2)
  assert.match(errors, /has "stages\/hello\.ts", "\.gitignore" already.*\[INIT_EXISTS\]/)
  assert.deepEqual(readdirSync(place.root).sort(), ['.gitignore', 'package.json', 'stages'])
  place.write('sub/package.json', '{ "name": "mine" }')
  const made = await place.run('init', 'sub', '--json')
  assert.equal(made.code, 0)
  assert.equal(place.read('sub/package.json'), '{ "name": "mine" }')
  assert.ok(!place.has('sub/.npmrc'), 'how its packages are installed is theirs to say')
  assert.match((await place.run('init', 'third')).out, /npm install\nnpx/)
})
