import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import type { Stage } from '../../lib/pipeline/pipeline.ts'
import { drive } from '../pipeline/drive.ts'
import { Rig, outcomesOf, shell, stage, until } from '../pipeline/rig.ts'
import { ACCOUNTS } from './slurm-accounts.ts'
import { Cluster } from './slurm.ts'

/** Each begins, and ends as its name says once it is released. */
function stages(rig: Rig): Stage[] {
  const held = (name: string, then: string, options: readonly string[], more: Partial<Stage> = {}): Stage => {
    const script = `touch "${rig.path('begun', name)}"; until [ -e "${rig.path('release')}" ]; do sleep 0.1; done; ${then}`
    const place = { out: { text: 'text.txt' }, executor: 'slurm', slurm: { options } } as const
    return stage(name, shell(script), { ...place, ...more })
  }
  const [onOthers, onFailing] = [['--exclude=n3'], ['--nodelist=n3', '--no-requeue']]
  const fill = `${process.execPath} -e 'const a=[];setInterval(()=>a.push(Buffer.alloc(5e7,1)),50)'`
  // of the process that says how the stage ended
  const dies = 'kill -9 "$(cut -d" " -f4 "/proc/$PPID/stat")"; sleep 60'
  return [
    held('completed', 'echo made > "$PIPELINE_OUT_TEXT"', onFailing),
    held('died', dies, onOthers),
    held('large', fill, onOthers, { resources: { gpu: 0, cpu: 1, memory: 100 * 2 ** 20 } }),
    held('cancelled', 'sleep 60', onOthers),
    held('slow', 'sleep 60', onOthers),
    held('lost', 'sleep 60', onFailing),
  ]
}

describe('jobs that the controller has forgotten', { timeout: 300_000 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start(['MinJobAge=2', ACCOUNTS])
  })
  after(() => cluster.stop())
  const untilForgotten = () => cluster.until(() => cluster.jobs().length === 0, 120)

  it('ended as the accounts say', async (t) => {
    const rig = new Rig(t)
    rig.write('begun/README', '')
    const all = stages(rig)
    const run = await drive(rig, all)
    await until(() => all.every(({ id }) => rig.has(`begun/${id}`)), t)
    const idOf = (name: string): string => {
      const out = execFileSync('squeue', ['-h', '-o', '%A %j'], { encoding: 'utf8' })
      return new RegExp(`^(\\d+) pipeline:${name}:`, 'm').exec(out)![1]!
    }
    const [cancelled, slow] = [idOf('cancelled'), idOf('slow')]
    // a driver that stands still hears of none of it
    run.child.kill('SIGSTOP')
    rig.write('release', '')
    execFileSync('scancel', [cancelled])
    execFileSync('scontrol', ['update', `JobId=${slow}`, 'EndTime=now+1'])
    await cluster.until(() => cluster.jobs().some((job) => job.endsWith(' COMPLETED')))
    cluster.failNode('n3')
    await untilForgotten()
    run.child.kill('SIGCONT')
    assert.equal((await run.ended).code, 1)
    const words = {
      cancelled: /^SLURM_CANCELLED Job \d+ /,
      died: /^SLURM_JOB_DIED .* ended as FAILED with signal 9 on node "n[12]"/,
      large: /^SLURM_OUT_OF_MEMORY .* asked for 100 MiB/,
      lost: /^SLURM_NODE_FAILED .* node "n3" failed/,
      slow: /^SLURM_TIMEOUT /,
    }
    const failures = run.told.filter(({ type }) => type === 'failure')
    const told = Object.fromEntries(failures.map(({ stage, code, message }) => [stage!, `${code!} ${message!}`]))
    assert.deepEqual(Object.keys(told).sort(), Object.keys(words))
    for (const [name, expected] of Object.entries(words)) assert.match(told[name]!, expected)
    assert.deepEqual(await rig.outcomes(all.slice(0, 1)), ['completed: fresh'])
  })

  it('have left their results, or are handed in anew', async (t) => {
    const rig = new Rig(t)
    rig.write('begun/README', '')
    const all = stages(rig)
      .slice(0, 2)
      .map((one) => ({ ...one, slurm: {} }))
    const run = await drive(rig, all)
    await until(() => all.every(({ id }) => rig.has(`begun/${id}`)), t)
    run.child.kill('SIGKILL')
    await run.ended
    rig.write('release', '')
    await untilForgotten()
    const { finished, failures } = await rig.run(all)
    assert.deepEqual(outcomesOf(finished.stages), ['completed: restored', 'died: failed'])
    assert.deepEqual(failures.map(({ code }) => code), ['SLURM_JOB_DIED']) // prettier-ignore
    assert.deepEqual(rig.notices(), ['SLURM_QUEUED'])
    assert.equal(cluster.jobs().length, 1)
  })
})
