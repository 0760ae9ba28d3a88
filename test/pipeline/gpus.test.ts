import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { sha256 } from '../../lib/pipeline/canonical.ts'
import { HostGpus } from '../../lib/pipeline/host-gpus.ts'
import { hold } from '../../lib/util/lock.ts'
import { drive, isAlive } from './drive.ts'
import type { Drive, Told } from './drive.ts'
import { Rig, shell, stage, until } from './rig.ts'

/** A host of its own: locks, and what its driver says. Runs on it are of projects of their own. */
class Host {
  readonly folder = mkdtempSync(join(tmpdir(), 'host-'))
  readonly #context: TestContext

  constructor(context: TestContext) {
    this.#context = context
    context.after(() => rmSync(this.folder, { recursive: true }))
  }

  /** A run of one stage that sees these GPUs. */
  async run(visible: string, script: string, { gpu = 1, rig = new Rig(this.#context), path = '' } = {}) {
    const resources = { gpu, cpu: 1, memory: 0 }
    const stages = [stage('train', shell(script), { resources, out: { text: 'text.txt' } })]
    const env = { TMPDIR: this.folder, CUDA_VISIBLE_DEVICES: visible, PATH: `${path}:${process.env.PATH ?? ''}` }
    return { rig, run: await drive(rig, stages, { env }) }
  }

  /** A folder with an `nvidia-smi` that tells these cards. */
  driver(name: string, cards: string): string {
    const folder = join(this.folder, name)
    mkdirSync(folder)
    writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\necho '${cards}'\n`)
    chmodSync(join(folder, 'nvidia-smi'), 0o755)
    return folder
  }
}

const MADE = 'echo "$CUDA_VISIBLE_DEVICES" > "$PIPELINE_OUT_TEXT"'
const UNTIL_GO = `echo $$ > pid; until [ -e go ]; do sleep 0.02; done; ${MADE}`
const started = (told: Told): boolean => told.type === 'stage-started'
const waits = (told: Told): boolean => told.code === 'GPU_WAIT'
const locks = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.lock'))
const waited = ({ told }: Drive): boolean => told.some(waits)

test('two runs of two projects never have one GPU; who waits is told who has it', { timeout: 60_000 }, async (t) => {
  const host = new Host(t)
  const one = await host.run('0', UNTIL_GO)
  await one.run.hears(started)
  await until(() => one.rig.has('pid'), t)
  assert.equal(locks(host.folder).length, 2, "the stage's process has it beside its run")
  const two = await host.run('0', `[ -e ${one.rig.path('go')} ] || exit 9; ${MADE}`)
  const { message = '' } = await two.run.hears(waits)
  assert.ok(message.startsWith(`"train" waits for a GPU: process ${one.run.child.pid!} (`), message)
  assert.ok(message.includes(`stage "train" in ${one.rig.root}, since 2`), message)
  assert.match(message, / UTC\) has 0\.$/)
  one.rig.write('go', '')
  assert.deepEqual([(await one.run.ended).code, (await two.run.ended).code], [0, 0])
  assert.equal(two.rig.read('artifacts/train/text.txt'), '0\n')
  assert.deepEqual(locks(host.folder), [])
})

test('where another run has a GPU, one that is free is as good', { timeout: 60_000 }, async (t) => {
  const host = new Host(t)
  const one = await host.run('4,7', UNTIL_GO)
  await one.run.hears(started)
  const two = await host.run('4,7', MADE)
  assert.equal((await two.run.ended).code, 0)
  assert.equal(two.rig.read('artifacts/train/text.txt'), '7\n')
  one.rig.write('go', '')
  await one.run.ended
  assert.deepEqual([waited(one.run), waited(two.run)], [false, false])
})

test('three runs that want both of two GPUs take turns, all or nothing', { timeout: 60_000 }, async (t) => {
  const host = new Host(t)
  const busy = join(host.folder, 'busy')
  const script = `mkdir ${busy} || exit 9; sleep 0.2; rmdir ${busy}; ${MADE}`
  const runs = await Promise.all(['0,1', '1,0', '0,1'].map((visible) => host.run(visible, script, { gpu: 2 })))
  assert.deepEqual(await Promise.all(runs.map(async ({ run }) => (await run.ended).code)), [0, 0, 0])
})

test('kill -9 of a run frees its GPU as soon as its stage is gone', { timeout: 60_000 }, async (t) => {
  const host = new Host(t)
  const one = await host.run('0', UNTIL_GO)
  await until(() => one.rig.has('pid') && one.rig.read('pid') !== '', t)
  const pid = Number(one.rig.read('pid'))
  // one that has ended and that nobody has waited for yet is gone
  const two = await host.run('0', `grep -sqv ') Z ' /proc/${pid}/stat && exit 9; ${MADE}`)
  await two.run.hears(waits)
  one.run.child.kill('SIGKILL')
  assert.equal((await two.run.ended).code, 0)
  assert.ok(!isAlive(pid))
})

test('who waits for a result has no GPU meanwhile', { timeout: 60_000 }, async (t) => {
  const host = new Host(t)
  const one = await host.run('0,1', UNTIL_GO)
  await one.run.hears(started)
  const same = await host.run('0,1', UNTIL_GO, { rig: one.rig })
  await same.run.hears(({ code }) => code === 'LOCK_WAIT')
  const other = await host.run('1', MADE)
  assert.equal((await other.run.ended).code, 0)
  one.rig.write('go', '')
  await Promise.all([one.run.ended, same.run.ended])
  assert.deepEqual([waited(same.run), waited(other.run)], [false, false])
})

test('Ctrl-C ends the wait for a GPU', { timeout: 60_000 }, async (t) => {
  const host = new Host(t)
  const one = await host.run('0', UNTIL_GO)
  await one.run.hears(started)
  const two = await host.run('0', MADE)
  await two.run.hears(waits)
  two.run.child.kill('SIGINT')
  assert.equal((await two.run.ended).code, 130)
  assert.ok(two.run.told.some(({ code }) => code === 'STAGE_CANCELLED'))
  one.rig.write('go', '')
  assert.equal((await one.run.ended).code, 0)
})

test('without a GPU two runs do not wait for each other', { timeout: 60_000 }, async (t) => {
  const host = new Host(t)
  const one = await host.run('', UNTIL_GO)
  await one.run.hears(started)
  const two = await host.run('', MADE)
  assert.equal((await two.run.ended).code, 0)
  one.rig.write('go', '')
  assert.equal((await one.run.ended).code, 0)
  assert.ok(!readdirSync(host.folder).includes('pipeline-gpus'))
})

test('a card is one whatever it is called, and two of one number are two', { timeout: 60_000 }, async (t) => {
  const host = new Host(t)
  const whole = host.driver('whole', '0, GPU-aa11\n1, GPU-bb22')
  const one = await host.run('1', UNTIL_GO, { path: whole })
  await one.run.hears(started)
  const same = await host.run('GPU-bb', MADE, { path: whole })
  await same.run.hears(waits)
  // in a scheduler's job, which sees one card alone
  const job = await host.run('1', MADE, { path: host.driver('job', '1, GPU-cc33') })
  assert.equal((await job.run.ended).code, 0)
  assert.ok(!waited(job.run))
  one.rig.write('go', '')
  assert.equal((await same.run.ended).code, 0)
  assert.equal(same.rig.read('artifacts/train/text.txt'), 'GPU-bb\n', 'the stage sees what its user wrote')
})

test('a place for locks that is none: said, and the run goes on', { timeout: 60_000 }, async (t) => {
  const host = new Host(t)
  writeFileSync(join(host.folder, 'pipeline-gpus'), '')
  const { run } = await host.run('0', MADE)
  assert.equal((await run.ended).code, 0)
  const notices = run.told.filter(({ type }) => type === 'notice')
  assert.deepEqual(
    notices.map(({ code }) => code),
    ['GPU_NOT_SHARED'],
  )
  assert.match(notices[0]!.message!, /pipeline-gpus/)
})

test("another user's lock holds while its process lives, and stays in the other's folder", async (t) => {
  const { folder } = new Host(t)
  const gpus = ['0', '1'].map((id) => ({ id, name: id }))
  const other = join(folder, '4711')
  mkdirSync(other)
  const living = hold(other, sha256('0'), 'a'.repeat(12))
  const [name = ''] = readdirSync(other)
  const dead = name.replace(sha256('0'), sha256('1')).replace(/-\d+-/, '-4194305-')
  writeFileSync(join(other, dead), '')
  const host = HostGpus.open(folder, (why) => assert.ok(false, why))
  const stop = new AbortController()
  const wait = { note: '', signal: stop.signal, onWait: () => stop.abort() }
  const greedy = new AbortController()
  const both = host.hold(gpus, 2, { ...wait, signal: greedy.signal, onWait: () => greedy.abort() })
  await assert.rejects(both, { name: 'AbortError' })
  assert.equal(locks(folder).length, 2, 'who waits for two has not one')
  const held = await host.hold(gpus, 1, wait)
  assert.deepEqual(held.ids, ['1'])
  await assert.rejects(host.hold(gpus, 1, wait), { name: 'AbortError' })
  rmSync(living)
  const free = await host.hold(gpus, 1, { ...wait, signal: t.signal })
  assert.deepEqual(free.ids, ['0'])
  for (const lock of [...held.locks, ...free.locks]) lock.release()
  assert.deepEqual(readdirSync(other), [dead])
})
