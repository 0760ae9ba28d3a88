import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { bundle } from '../../lib/pipeline/bundle.ts'
import type { Bundle } from '../../lib/pipeline/bundle.ts'
import { projectAt } from '../../lib/pipeline/project.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'
import type { Failure } from '../../lib/util/failure.ts'
import { Rig } from './rig.ts'

const FILES = {
  'package.json': '{}',
  'stage.ts': "import { a } from './a.ts'\nimport type { T } from './types.ts'\nexport const value: T = a()\n",
  'a.ts': "export { a } from './b.ts'\n",
  'b.ts': "import { c } from './c.ts'\nimport data from './data.json'\nexport const a = (): number => c(data.x)\n",
  'c.ts': 'export const c = (x: number): number => x + 1\n',
  'types.ts': 'export type T = number\n',
  'data.json': '{ "x": 1 }',
}

function project(t: TestContext, files: Readonly<Record<string, string>> = FILES): Rig {
  const rig = new Rig(t)
  for (const [name, text] of Object.entries(files)) rig.write(name, text)
  return rig
}

async function bundled(rig: Rig, entry = 'stage.ts'): Promise<Bundle> {
  const result = await bundle(rig.path(entry), projectAt(rig.root), new StatCache(projectAt(rig.root).cache))
  if (!result.ok) throw result.error
  return result.value
}

const digestAfter = async (rig: Rig, file: string, text: string): Promise<string> => {
  rig.write(file, text)
  return (await bundled(rig)).digest
}

test('a comment, formatting, a type and a type-only import do not change the code digest', async (t) => {
  const rig = project(t)
  const { digest } = await bundled(rig)
  assert.equal(
    await digestAfter(rig, 'c.ts', '// why\nexport const c = (x: number): number =>\n  x + /* two */ 1\n'),
    digest,
  )
  assert.equal(await digestAfter(rig, 'types.ts', 'export type T = number | string\n'), digest)
  assert.equal(await digestAfter(rig, 'a.ts', "export  {a}  from './b.ts'\n"), digest)
  assert.equal(await digestAfter(rig, 'tsconfig.json', '{ "compilerOptions": { "target": "es5" } }'), digest)
})

test('a change three imports away, in JSON, in wasm or in a worker thread does', async (t) => {
  const rig = project(t, {
    ...FILES,
    'stage.ts': `${FILES['stage.ts']}import wasm from './m.wasm'\nimport { Worker } from 'node:worker_threads'
export const start = () => new Worker(new URL('./worker.ts', import.meta.url), { workerData: wasm })\n`,
    'worker.ts': "import { c } from './c.ts'\nimport { log } from './log.ts'\nlog(c(1))\n",
    'log.ts': 'export const log = (x: unknown): unknown => x\n',
    'm.wasm': 'one',
  })
  const digests = [(await bundled(rig)).digest as string]
  digests.push(await digestAfter(rig, 'c.ts', 'export const c = (x: number): number => x + 2\n'))
  digests.push(await digestAfter(rig, 'data.json', '{ "x": 2 }'))
  digests.push(await digestAfter(rig, 'm.wasm', 'two'))
  digests.push(await digestAfter(rig, 'log.ts', 'export const log = (x: unknown): unknown => [x]\n'))
  assert.equal(new Set(digests).size, 5)
  const { workers, file, sources } = await bundled(rig)
  assert.equal(workers.length, 1)
  assert.ok(readFileSync(file, 'utf8').includes(`${workers[0]!}.mjs`))
  assert.ok(existsSync(rig.path('node_modules/.cache/pipeline', `${workers[0]!}.mjs`)))
  assert.ok('log.ts' in sources)
})

test('the digest is the same in another folder', async (t) => {
  assert.equal((await bundled(project(t))).digest, (await bundled(project(t))).digest)
})

test('a bundle that was changed in the cache is made anew', async (t) => {
  const rig = project(t)
  const { file } = await bundled(rig)
  const whole = readFileSync(file, 'utf8')
  writeFileSync(file, 'export const value = 666')
  await bundled(rig)
  assert.equal(readFileSync(file, 'utf8'), whole)
})

test('an import whose path is a variable is refused with its place', async (t) => {
  for (const code of ['export const m = await import(name)', 'export const m = require(name)']) {
    const rig = project(t, { 'package.json': '{}', 'stage.ts': `const name = process.argv[2]!\n${code}\n` })
    await assert.rejects(bundled(rig), (error: Failure) => {
      assert.equal(error.code, 'BUNDLE_DYNAMIC_IMPORT')
      assert.deepEqual([error.place?.file, error.place?.line], ['stage.ts', 2])
      return true
    })
  }
})

test('a mistake in the code is told with its place', async (t) => {
  const rig = project(t, { 'package.json': '{}', 'stage.ts': "import { a } from './none.ts'\nexport default a\n" })
  await assert.rejects(bundled(rig), { code: 'BUNDLE_FAILED' })
})

const LOCK = {
  lockfileVersion: 3,
  packages: {
    '': {},
    'node_modules/used': {
      version: '1.0.0',
      integrity: 'sha512-used',
      dependencies: { deep: '*', 'onnxruntime-node': '*' },
    },
    'node_modules/used/node_modules/deep': { version: '1.5.0', integrity: 'sha512-nested' },
    'node_modules/deep': { version: '2.0.0', integrity: 'sha512-deep', dependencies: { deeper: '*' } },
    'node_modules/deeper': { version: '3.0.0', integrity: 'sha512-deeper' },
    'node_modules/@scope/lib': { version: '4.0.0', integrity: 'sha512-lib', dependencies: { deep: '*' } },
    'node_modules/unused': { version: '5.0.0', integrity: 'sha512-unused' },
    'node_modules/onnxruntime-node': {
      version: '6.0.0',
      integrity: 'sha512-ort',
      dependencies: { 'onnxruntime-common': '*' },
    },
    'node_modules/koffi': { version: '7.0.0', integrity: 'sha512-koffi' },
    'node_modules/onnxruntime-common': { version: '6.0.0', integrity: 'sha512-ortc' },
  },
}

test('packages: the import closure with version and integrity, nothing unused, no engine', async (t) => {
  const code =
    "import used from 'used/sub'\nimport { x } from '@scope/lib'\nimport fs from 'node:fs'\nimport ort from 'onnxruntime-node'\nimport koffi from 'koffi'\nexport default [used, x, fs, ort, koffi]\n"
  const rig = project(t, { 'package.json': '{}', 'package-lock.json': JSON.stringify(LOCK), 'stage.ts': code })
  const expected = {
    '@scope/lib': '4.0.0 sha512-lib',
    deep: '2.0.0 sha512-deep',
    deeper: '3.0.0 sha512-deeper',
    used: '1.0.0 sha512-used',
    'used/node_modules/deep': '1.5.0 sha512-nested',
  }
  assert.deepEqual((await bundled(rig)).packages, expected)
  const newer = structuredClone(LOCK)
  newer.packages['node_modules/unused'].version = '9.9.9'
  rig.write('package-lock.json', JSON.stringify(newer))
  assert.deepEqual((await bundled(rig)).packages, expected)
  newer.packages['node_modules/deeper'].version = '3.0.1'
  rig.write('package-lock.json', JSON.stringify(newer))
  assert.equal((await bundled(rig)).packages['deeper'], '3.0.1 sha512-deeper')
})

test('a package that is not in the lockfile is refused by name', async (t) => {
  const rig = project(t, {
    'package.json': '{}',
    'package-lock.json': JSON.stringify(LOCK),
    'stage.ts': "export * from 'nowhere'\n",
  })
  await assert.rejects(bundled(rig), { code: 'PACKAGE_MISSING', message: /"nowhere"/ })
})
