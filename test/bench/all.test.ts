import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'

const figures = (...oks: boolean[]) => oks.map((ok, i) => ({ what: `figure ${i}`, ok }))
const good = (...oks: boolean[]): string =>
  `console.log('words'); console.log(${JSON.stringify(JSON.stringify({ bench: 'x', figures: figures(...oks) }))})`

/** Runs benches that are these scripts, in a process whose output can be read. */
function runAll(scripts: Readonly<Record<string, string>>): { status: number | null; lines: string[] } {
  const script = `
    import { runAll } from './bench/all.ts'
    const scripts = ${JSON.stringify(scripts)}
    process.exitCode = (await runAll(Object.keys(scripts), (name) => ['--eval', scripts[name]])) ? 0 : 1`
  const node = ['--import', 'tsx', '--input-type=module', '--eval', script]
  const { status, stdout } = spawnSync(process.execPath, node, { encoding: 'utf8' })
  return { status, lines: stdout.trimEnd().split('\n') }
}

it('runs all benches although some fail, names those, and sums up what was reached', () => {
  const { status, lines } = runAll({
    first: good(true, false),
    broken: `${good(true)}; throw new Error('no peer')`,
    killed: `process.kill(process.pid, 'SIGKILL')`,
    silent: `console.log('nothing')`,
    last: good(true, true),
  })
  assert.equal(status, 1)
  assert.deepEqual(
    lines.filter((line) => /^(==|FAILED)/.test(line)),
    [
      '== first (1 of 5)',
      ...['== broken (2 of 5)', 'FAILED: "broken" ended with exit code 1'],
      ...['== killed (3 of 5)', 'FAILED: "killed" ended with SIGKILL'],
      ...['== silent (4 of 5)', 'FAILED: "silent" gave no figures'],
      '== last (5 of 5)',
    ],
  )
  assert.deepEqual(
    lines.slice(-7).map((line) => line.replace(/ +\d+\.\d( +|$)/, ' | ').trimEnd()),
    [
      'bench   minutes',
      'first | 1 of 2 reached  missed: figure 1',
      'broken | failed',
      'killed | failed',
      'silent | failed',
      'last | 2 of 2 reached',
      'all |',
    ],
  )
  assert.ok(lines.includes('words') && !lines.some((line) => line.startsWith('{')))
})

it('succeeds where all were measured, whatever they reached', () => {
  assert.equal(runAll({ one: good(false) }).status, 0)
})

const bench = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', 'bench/run.ts', ...args], { encoding: 'utf8' })

it('lists what each bench measures', () => {
  const { status, stdout } = bench('--list')
  assert.equal(status, 0)
  assert.match(stdout, /^train-step {7}a training step of a small GPT beside PyTorch$/m)
  assert.match(stdout, /^backends {9}a training step of a small GPT on each engine that works here/m)
})

it('refuses a name that it does not know, and says which there are', () => {
  const { status, stderr } = bench('nope')
  assert.equal(status, 2)
  assert.match(stderr, /one of startup, .*backends/)
})
