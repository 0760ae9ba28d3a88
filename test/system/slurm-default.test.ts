import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readManifest } from '../../lib/pipeline/manifest.ts'
import { outcomes } from '../e2e/command.ts'
import type { Place } from '../e2e/command.ts'
import { makeProject } from '../e2e/project.ts'
import { Cluster } from './slurm.ts'

/** Enough to go through every stage. */
const short = ['--set', 'distill.epochs=0.02']

/** Key and digests of every output, by stage; not the threads that it had. */
function results(place: Place): Record<string, unknown> {
  const store = join(place.root, 'artifacts', 'store')
  const stages = readdirSync(store).filter((name) => !name.startsWith('.'))
  const made = stages.flatMap((stage) =>
    place.results(stage).map((key) => {
      const { stage: id, outputs } = readManifest(join(store, stage, key), key)!
      return [id, { key, outputs }] as const
    }),
  )
  return Object.fromEntries(made.sort())
}

test(
  'the embedded default gives the same bytes as jobs of Slurm and as processes here',
  { timeout: 600_000 },
  async (t) => {
    const cluster = await Cluster.start()
    t.after(() => cluster.stop())
    const [here, jobs] = [makeProject(t), makeProject(t)]
    const cold = await jobs.lines('--executor', 'slurm', ...short)
    assert.equal(cold.code, 0, JSON.stringify(cold.last))
    const ran = outcomes(cold.last).filter((outcome) => outcome.endsWith(': ran'))
    assert.ok(ran.length > 10, outcomes(cold.last).join())
    assert.equal(cluster.jobs().filter((job) => job.endsWith('COMPLETED')).length, ran.length)
    const local = await here.lines(...short)
    assert.equal(local.last.experiment, cold.last.experiment)
    assert.deepEqual(results(jobs), results(here))
    jobs.write('pipeline.yaml', `${jobs.read('pipeline.yaml')}\nslurm: { partition: gpus }\n`)
    const wrong = await jobs.run('run', '--executor', 'slurm', '--set', 'distill.temperature=9')
    assert.equal(wrong.code, 2)
    assert.match(wrong.errors, /stage "distill": invalid partition specified: gpus/)
    const same = await jobs.run('run', '--executor', 'slurm', ...short)
    assert.equal(same.code, 0, 'nothing has to run')
  },
)
