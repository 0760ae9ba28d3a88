import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { simulate } from '../../bench/simulate/simulation.ts'
import { taskTimes } from '../../bench/simulate/times.ts'

const MEAN_MS = 60_000

describe('the simulated cluster', () => {
  it('runs every part by the real executor, near the bound and with few requests', async () => {
    const [nodes, shards] = [100, 2000]
    const { makespan, bound, parts, submitted, scheduler, store } = await simulate({
      ...{ nodes, shards, duration: taskTimes(MEAN_MS) },
    })
    assert.equal(parts, shards)
    assert.equal(submitted.tasks, shards)
    assert.ok(makespan >= bound && makespan < 1.2 * bound, `${makespan} s, bound ${bound} s`)
    // the merge is a job of its own
    assert.deepEqual([scheduler.sbatch, scheduler.scontrol], [3, 1])
    // a hundredth of the time at most, and never more often than each second
    assert.ok(scheduler.squeue! < makespan / 2, `${scheduler.squeue!} times in ${makespan} s`)
    // of 100 that run, 64 files are looked at in a second
    assert.ok(store.openSync! < 64 * makespan + 6 * shards, `${store.openSync!} files opened in ${makespan} s`)
  })

  it('is handed no more than it takes, and gets the rest when it does', async () => {
    const asked = { nodes: 40, shards: 600, duration: taskTimes(MEAN_MS), largestArray: 50, mostJobs: 120 }
    const { makespan, bound, parts, notices } = await simulate(asked)
    assert.equal(parts, asked.shards)
    assert.ok(makespan >= bound)
    assert.deepEqual(notices, ['SLURM_FULL', 'SLURM_QUEUED'])
  })
})
