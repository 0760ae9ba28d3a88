// npm test: format, lint, types, dead code, then the tests. `unit` runs the tests alone, `system` those of
// test/system, `gpu` those of test/gpu, which need an NVIDIA card.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const mode = process.argv[2] ?? 'all'
const bin = (name) => join('node_modules', '.bin', name)

if (mode === 'all') {
  check('format', bin('prettier'), ['--check', '--log-level', 'warn', '.'])
  check('types', bin('tsc'), ['--noEmit'])
  check('lint', bin('eslint'), ['.', '--max-warnings=0'])
  check('dead code', bin('knip'), ['--no-progress'])
}

const apart = ['system', 'gpu']
const files = apart.includes(mode)
  ? testFiles(join('test', mode))
  : testFiles('test').filter((file) => !apart.some((folder) => file.startsWith(join('test', folder))))
// `node --test` on a pattern that matches nothing exits 0: a moved folder must not pass in silence
const least = { system: 11, gpu: 4 }[mode] ?? 50
if (files.length < least) {
  console.error(`test/run.mjs found ${files.length} test files, expected at least ${least}`)
  process.exit(1)
}
check('tests', process.execPath, [
  '--import',
  'tsx',
  '--test',
  '--test-concurrency=2',
  '--test-timeout=600000',
  ...['--test-reporter=tap', '--test-reporter-destination=stdout'],
  ...['--test-reporter=./test/failed.mjs', '--test-reporter-destination=stdout'],
  ...files,
])

function check(what, program, args) {
  const start = Date.now()
  const { status } = spawnSync(program, args, { stdio: 'inherit', env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' } })
  console.log(`${what}: ${status === 0 ? 'ok' : 'FAILED'} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
  if (status !== 0) process.exit(1)
}

function testFiles(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}
