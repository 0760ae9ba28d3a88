import assert from 'node:assert/strict'
import { it } from 'node:test'
import { runApart } from '../../lib/tools/apart.ts'

const say = (said: unknown): string =>
  `require('node:fs').writeSync(3, ${JSON.stringify(JSON.stringify(said) + '\n')});`
const run = (script: string, seconds = 30) => runApart(['--eval', script], seconds)

it('gives what a process says', async () => {
  const script = say({ type: 'part', part: 'first' }) + say({ type: 'value', value: [1] })
  assert.deepEqual(await run(script), { parts: ['first'], answer: { type: 'value', value: [1] } })
})

it('says by which signal a process died, and keeps what it had said', async () => {
  const script = `${say({ type: 'part', part: 'first' })} require('node:fs').writeSync(3, '{"type":"val'); process.kill(process.pid, 'SIGSEGV')`
  assert.deepEqual(await run(script), { parts: ['first'], answer: { state: 'crashed', why: 'crashed (SIGSEGV)' } })
})

it('says what a process wrote last that ended without an answer', async () => {
  const { answer } = await run(
    `console.error('loading\\n  libfoo.so: cannot open shared object file'); process.exit(7)`,
  )
  const why = 'crashed (exit code 7): libfoo.so: cannot open shared object file'
  assert.deepEqual(answer, { state: 'crashed', why })
})

it('ends a process that hangs in native code, which no signal but SIGKILL ends', async () => {
  const begun = performance.now()
  const { answer } = await run(`process.on('SIGTERM', () => {}); for (;;);`, 1)
  assert.deepEqual(answer, { state: 'silent', why: 'did not answer in 1 s' })
  assert.ok(performance.now() - begun < 20_000)
})
