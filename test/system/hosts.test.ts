import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { drive } from '../pipeline/drive.ts'
import type { Drive } from '../pipeline/drive.ts'
import { Rig, shell, stage, until } from '../pipeline/rig.ts'
import { onHost } from './on-host.ts'

const WAITS =
  'echo ran >> count; while [ ! -e go ]; do sleep 0.05; done; cat "$PIPELINE_IN_TEXT" > "$PIPELINE_OUT_TEXT"'
const stages = [stage('only', shell(WAITS), { in: { text: './input.txt' }, out: { text: 'text.txt' } })]

/** Folders with one store. */
function sharing(t: TestContext): readonly [Rig, Rig] {
  const [one, other] = [new Rig(t), new Rig(t)]
  mkdirSync(join(one.root, 'store'))
  for (const rig of [one, other]) {
    rig.write('input.txt', 'abc')
    mkdirSync(rig.path('artifacts'))
    symlinkSync(join(one.root, 'store'), rig.path('artifacts/store'))
  }
  return [one, other]
}

/** Every process below one, itself not. */
function below(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  const children = text === '' ? [] : text.split(' ').map(Number)
  return children.flatMap((child) => [child, ...below(child)])
}

function signalAll(run: Drive, signal: NodeJS.Signals): void {
  for (const pid of below(run.child.pid!)) process.kill(pid, signal)
}

test(
  'a machine that stands still loses its lock, and shares what the other made when it wakes up; clocks are hours apart',
  { timeout: 300_000 },
  async (t) => {
    const [one, other] = sharing(t)
    const slow = await drive(one, stages, onHost('slow', -5))
    await until(() => one.has('count'), t)
    const fast = await drive(other, stages, onHost('fast', 7))
    assert.match((await fast.hears(({ code }) => code === 'LOCK_WAIT')).message!, /waits for process \d+ \(on slow,/)
    signalAll(slow, 'SIGSTOP')
    await until(() => other.has('count'), t)
    other.write('go', '')
    assert.equal((await fast.ended).code, 0)
    signalAll(slow, 'SIGCONT')
    assert.equal((await slow.ended).code, 0)
    assert.deepEqual(
      slow.told.flatMap(({ code }) => code ?? []),
      ['LOCK_LOST'],
    )
    const outcome = (run: Drive) => run.told.find(({ type }) => type === 'stage-finished')?.outcome
    assert.deepEqual([outcome(fast), outcome(slow)], ['ran', 'restored'])
    for (const rig of [one, other]) assert.equal(rig.read('artifacts/only/text.txt'), 'abc')
    const left = readdirSync(one.path('store/only')).filter((name) => /^\.(tmp|lock)/.test(name))
    assert.deepEqual(left, [])
  },
)
