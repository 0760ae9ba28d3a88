import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import type { Event } from '../../lib/pipeline/event.ts'
import { reproduce } from '../../lib/pipeline/reproduce.ts'
import { ok } from '../../lib/util/result.ts'
import { Rig, shell, stage } from './rig.ts'

const OUT = { text: 'text.txt' }

/** The codes of what was wrong, and how each stage came out. */
async function reproduced(rig: Rig, hash: string): Promise<{ codes: string[]; results: string[] }> {
  const { signal } = new AbortController()
  const events: Event[] = []
  const onEvent = (event: Event): void => void events.push(event)
  const ended = await reproduce(rig.root, hash, { signal, kill: signal, onEvent })
  const last = events.at(-1)
  return {
    codes: (ended.ok ? ended.value : ended.error).map(({ code }) => code),
    results: last?.type === 'reproduced' ? last.stages.map(({ result }) => result) : [],
  }
}

test('a branch of the hub is the commit that it was, and nobody is asked', async (t) => {
  const rig = new Rig(t)
  const download = stage('download', shell('echo "$PIPELINE_IN_MODEL" > "$PIPELINE_OUT_TEXT"'), {
    in: { model: { kind: 'string', value: 'hub:owner/model@main' } },
    out: OUT,
  })
  const resolveRevisions = (sources: readonly string[]) => Promise.resolve(sources.map(() => ok('c'.repeat(40))))
  const { finished } = await rig.run([download], { resolveRevisions })
  assert.equal(rig.read('artifacts/download/text.txt'), `hub:owner/model@${'c'.repeat(40)}\n`)
  assert.deepEqual(await reproduced(rig, finished.experiment!), { codes: [], results: ['identical'] })
})

test('what comes with the package is found where the package lies now', async (t) => {
  const rig = new Rig(t)
  const folder = new URL('../../lib/data/builtin/world', import.meta.url).pathname
  const copy = stage('copy', shell('ls "$PIPELINE_IN_WORLD" > "$PIPELINE_OUT_TEXT"'), {
    in: { world: { kind: 'path', path: folder } },
    out: OUT,
  })
  const { finished } = await rig.run([copy])
  const record = `artifacts/experiments/${finished.experiment!}/record.json`
  rig.write(record, rig.read(record).replaceAll(folder, '/elsewhere/lib/data/builtin/world'))
  assert.ok(rig.read(record).includes('/elsewhere/'))
  assert.deepEqual(await reproduced(rig, finished.experiment!), { codes: [], results: ['identical'] })
  rig.write(record, rig.read(record).replaceAll('builtin/world', 'builtin/word'))
  assert.deepEqual(await reproduced(rig, finished.experiment!), { codes: [], results: ['identical'] })
  rmSync(rig.path('artifacts/experiments/.sources'), { recursive: true })
  assert.deepEqual(await reproduced(rig, finished.experiment!), { codes: ['SOURCE_CHANGED'], results: [] })
})

test('stages run here, wherever they ran and their record says that they run', async (t) => {
  const rig = new Rig(t)
  const one = stage('one', shell('echo 1 > "$PIPELINE_OUT_TEXT"'), { out: OUT, executor: 'slurm' })
  const { finished } = await rig.run([one], { executor: 'local' })
  const record = `artifacts/experiments/${finished.experiment!}/record.json`
  rig.write(record, rig.read(record).replaceAll('"retries"', '"executor":"slurm","retries"'))
  assert.ok(rig.read(record).includes('"slurm"'))
  assert.deepEqual(await reproduced(rig, finished.experiment!), { codes: [], results: ['identical'] })
})
