import assert from 'node:assert/strict'
import { appendFileSync, chmodSync, utimesSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, it } from 'node:test'
import { collect } from '../../lib/pipeline/collect.ts'
import { livingJobs } from '../../lib/pipeline/executor/batches.ts'
import { tailLines } from '../../lib/pipeline/executor/job-events.ts'
import { cancelIds, largestArray, parseQueue, parseSacct, sacctOptions } from '../../lib/pipeline/executor/queue.ts'
import {
  environment,
  isFull,
  isPassing,
  jobName,
  requestOf,
  submittedId,
  wordsOf,
} from '../../lib/pipeline/executor/sbatch.ts'
import { jobFailure } from '../../lib/pipeline/executor/slurm-failures.ts'
import { sha256 } from '../../lib/pipeline/canonical.ts'
import { StatCache } from '../../lib/pipeline/stat-cache.ts'
import { Store } from '../../lib/pipeline/store.ts'
import { Rig, shell, stage } from './rig.ts'

const storeOf = (rig: Rig): Store => new Store(rig.path('artifacts'), new StatCache(rig.path('cache')))

/** With this PATH, by which Slurm's commands are found. */
async function withPath(path: string, act: () => Promise<unknown>): Promise<void> {
  const before = process.env.PATH
  process.env.PATH = path
  try {
    await act()
  } finally {
    process.env.PATH = before
  }
}

const TOKEN = '0123456789ab'

describe('jobs of Slurm', () => {
  it('ask for what the stage asks for', () => {
    const asks = (more: Parameters<typeof stage>[2]) => requestOf(stage('a', shell('true'), more), 10).slice(2)
    assert.deepEqual(asks({}), [])
    const resources = { gpu: 2, cpu: 4, memory: 2 ** 30 + 1 }
    assert.deepEqual(asks({ resources }), ['--gres=gpu:2', '--cpus-per-task=4', '--mem=1153M'])
    // 90 s, ten to write a checkpoint, and a minute: in whole minutes
    assert.deepEqual(asks({ timeoutSeconds: 90 }), ['--time=3'])
    const slurm = {
      partition: 'gpu',
      account: 'me',
      qos: 'high',
      constraint: 'a100',
      timeSeconds: 7200,
      options: ['-x', 'n1'],
    }
    const named = ['--partition=gpu', '--account=me', '--qos=high', '--constraint=a100', '--time=120', '-x', 'n1']
    assert.deepEqual(asks({ timeoutSeconds: 90, slurm }), named)
  })

  it('are read from what squeue prints, and no others', () => {
    const name = jobName('cell', TOKEN)
    const out = [
      `7|7|N/A|RUNNING|n1|None|${name}`,
      `9|8|3|PENDING||Resources | odd|${name}`,
      '5|5|N/A|RUNNING|n2|None|theirs',
    ]
    assert.deepEqual(parseQueue(`${out.join('\n')}\n`), [
      { id: '7', token: TOKEN, index: 0, state: 'RUNNING', node: 'n1', reason: 'None' },
      { id: '8_3', token: TOKEN, index: 3, state: 'PENDING', node: '', reason: 'Resources | odd' },
    ])
  })

  it('that the controller has forgotten are read from what sacct prints', () => {
    const out = ['7|CANCELLED by 0|n1|0:15', '8_3|FAILED|n2|127:0', '9|RUNNING|n1|0:0', '10|COMPLETED|n1|0:0', '']
    assert.deepEqual(Object.fromEntries(parseSacct(out.join('\n'))), {
      '7': { state: 'CANCELLED', node: 'n1', exit: 'signal 15' },
      '8_3': { state: 'FAILED', node: 'n2', exit: 'exit code 127' },
      '10': { state: 'COMPLETED', node: 'n1', exit: undefined },
    })
    const ids = Array.from({ length: 20_000 }, (_, i) => `1234567_${i}`)
    const asked = sacctOptions(ids).map((options) => options.at(-1)!)
    assert.deepEqual(asked.flatMap((option) => option.replace('--jobs=', '').split(',')), ids) // prettier-ignore
    assert.ok(asked.every((option) => option.length < 2 ** 17))
  })

  it('are handed in and cancelled by ids that Slurm takes', () => {
    assert.deepEqual(['12\n', '12;cluster\n', 'error\n'].map(submittedId), ['12', '12', undefined])
    assert.deepEqual(cancelIds(['8_0', '8_1', '9_4', '7'], new Set(['8', '7'])), ['8', '9_4', '7'])
    assert.equal(largestArray('MaxArraySize            = 501\n'), 501)
    assert.equal(largestArray('MaxArraySize = 501\nSchedulerParameters = a,max_array_tasks=100'), 100)
    assert.equal(largestArray(''), 1001)
    assert.equal(largestArray('MaxArraySize = 0'), 1)
    assert.deepEqual(environment({ SLURM_JOB_ID: '1', SLURM_CONF: 'c', PATH: 'p' }), { SLURM_CONF: 'c', PATH: 'p' })
  })

  it('are tried again where Slurm is away or full, and not where they are wrong', () => {
    const words = wordsOf(
      'sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission failed: no\n',
    )
    assert.equal(words, 'invalid partition specified: x Batch job submission failed: no')
    const away = ['Unable to contact slurm controller (connect failure)', 'Socket timed out on send/recv operation']
    const policy = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
    const full = [
      'Slurm temporarily unable to accept job, sleeping and retrying',
      `QOSMaxSubmitJobPerUserLimit ${policy}`,
    ]
    const wrong = [words, `QOSMaxWallDurationPerJobLimit ${policy}`]
    assert.deepEqual([...away, ...full, ...wrong].map(isPassing), [true, true, true, true, false, false])
    assert.deepEqual([...away, ...full, ...wrong].map(isFull), [false, false, true, true, false, false])
  })

  it('say in words why they ended', () => {
    const asked = { resources: { gpu: 0, cpu: 0, memory: 3 * 2 ** 20 }, timeoutSeconds: 60 }
    const ended = (state: string | undefined, output = '', more = {}, exit?: string) => {
      const { code, message } = jobFailure(stage('a', shell('true'), { ...asked, ...more }), {
        id: '7',
        state,
        node: 'n1',
        exit,
        output,
      })
      return `${code} ${message}`
    }
    assert.match(ended('OUT_OF_MEMORY'), /^SLURM_OUT_OF_MEMORY .*asked for 3 MiB.*`resources\.memory`/)
    assert.match(ended('FAILED', 'Detected 1 oom-kill event(s)'), /^SLURM_OUT_OF_MEMORY/)
    assert.match(ended('TIMEOUT'), /^SLURM_TIMEOUT .*limit of 60 s\. Raise its `timeout`/)
    assert.match(ended('TIMEOUT', '', { slurm: { timeSeconds: 30 } }), /limit of 30 s\. Raise its `slurm\.time`/)
    assert.match(ended('NODE_FAIL'), /^SLURM_NODE_FAILED .*node "n1" failed/)
    assert.match(ended('PREEMPTED'), /^SLURM_PREEMPTED/)
    assert.match(ended('CANCELLED'), /^SLURM_CANCELLED/)
    assert.match(ended(undefined), /^SLURM_LOST/)
    assert.match(ended('FAILED', '', {}, 'signal 9'), /ended as FAILED with signal 9 on node "n1" before/)
    assert.match(ended('FAILED', 'no such folder'), /^SLURM_JOB_DIED .*FAILED on node "n1".*It wrote: no such folder/)
  })

  it('are heard line by line, though a line comes in parts or was cut by a kill', (t) => {
    const rig = new Rig(t)
    const file = rig.path('0.events')
    const read = tailLines(file)
    const hosts = (): string[] => read().map((line) => (line.type === 'began' ? line.host : line.type))
    assert.deepEqual(hosts(), [])
    appendFileSync(file, '{"type":"began","ho')
    assert.deepEqual(hosts(), [])
    appendFileSync(file, 'st":"é"}\n{"type":"eve\n{"type":"began","host":"b"}\n')
    assert.deepEqual([hosts(), hosts()], [['é', 'b'], []])
  })

  it('of an earlier run are found by their keys, a whole array as such', (t) => {
    const rig = new Rig(t)
    const keys = ['a', 'b', 'c'].map((name) => sha256(name))
    rig.write(`${TOKEN}/batch.json`, JSON.stringify({ keys }))
    const rows = ['COMPLETED', 'RUNNING', 'PENDING'].map((state, i) => `8|8|${i}|${state}|||${jobName('cell', TOKEN)}`)
    const find = (wanted: typeof keys) => livingJobs(rig.root, parseQueue(rows.join('\n')), new Set(wanted))
    const found = find(keys)
    assert.deepEqual([...found.keys()], keys.slice(1))
    assert.deepEqual([found.get(keys[1]!)?.id, found.get(keys[1]!)?.alone], ['8_1', true])
    assert.equal(find(keys.slice(0, 2)).get(keys[1]!)?.alone, false)
  })

  it('leave orders that gc takes once Slurm has not had them for long, and never without asking', async (t) => {
    const rig = new Rig(t)
    const [queued, gone, ended, young] = ['0', '1', '2', '3'].map((digit) => digit.repeat(12))
    const file = (token: string | undefined): string => `artifacts/store/.jobs/${token!}/batch.json`
    for (const token of [queued, gone, ended, young]) rig.write(file(token), JSON.stringify({ keys: [] }))
    const old = Date.now() / 1000 - 2 * 3600
    for (const token of [queued, gone, ended]) utimesSync(dirname(rig.path(file(token))), old, old)
    const left = (): boolean[] => [queued, gone, ended, young].map((token) => rig.has(file(token)))
    const gc = (dryRun = false) => collect(rig.root, storeOf(rig), { bytes: undefined, age: undefined }, dryRun)
    await withPath(rig.path('none'), () => gc())
    assert.deepEqual(left(), [true, true, true, true])
    const rows = [`7|7|N/A|PENDING|||${jobName('a', queued!)}`, `8|8|N/A|COMPLETED|||${jobName('a', ended!)}`]
    rig.write('bin/squeue', `#!/bin/sh\ncat <<'E'\n${rows.join('\n')}\nE\n`)
    chmodSync(rig.path('bin/squeue'), 0o755)
    await withPath(`${rig.path('bin')}:${process.env.PATH!}`, async () => {
      const said = await gc(true)
      assert.deepEqual(left(), [true, true, true, true])
      assert.deepEqual(await gc(), said)
      assert.equal(said.leftovers.length, 2)
    })
    assert.deepEqual(left(), [true, false, false, true])
  })
})
