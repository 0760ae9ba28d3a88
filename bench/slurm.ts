import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster } from '../test/system/slurm.ts'
import { figure } from './figures.ts'
import type { Bench, Figure } from './figures.ts'
import { warnOfLoad } from './load.ts'
import { cpuOfRun, isNotice, secondsUntil } from './slurm/driver.ts'
import { cancelAll, cellsYaml, heldCellsYaml, heldShardsYaml, stagesYaml, writeProject } from './slurm/projects.ts'

const CELLS = [20, 10] as const
const STAGES = 50
const ADOPTED = [100, 10] as const
const ADOPTIONS = 7
const SHARDS = 10_000
const SUBMISSIONS = 3
/** Tasks of an array, where a cluster sets nothing else: MaxArraySize. */
const ARRAY = 1001

/** Root's, on Linux. */
export const slurm: Bench = {
  about: 'the driver of jobs on a Slurm of this one machine: CPU a job, 10,000 shards handed in, 1,000 jobs adopted',
  run: async () => {
    warnOfLoad()
    const cluster = await Cluster.start()
    const folder = mkdtempSync(join(tmpdir(), 'slurm-bench-'))
    try {
      return [...(await overhead(folder)), await adoption(folder, cluster), await submission(folder, cluster)]
    } finally {
      await cluster.stop()
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    }
  },
}

async function overhead(folder: string): Promise<readonly Figure[]> {
  const told = "CPU a job of the driver and of Slurm's commands that it starts, its own start among it"
  const of = async (name: string, what: string, jobs: number, yaml: string): Promise<Figure> => {
    writeProject(join(folder, name), yaml)
    const seconds = await cpuOfRun(join(folder, name))
    return figure({ what: `${told}: ${what}`, unit: 'ms', ours: (1000 * seconds) / jobs, reach: { max: 50 } })
  }
  const [rows, columns] = CELLS
  // what is bundled once and kept is no cost of a run
  await of('first', 'the first', 1, stagesYaml(1))
  return [
    await of('cells', `${rows * columns} jobs in one array`, rows * columns, cellsYaml(...CELLS)),
    await of('stages', `${STAGES} jobs, each handed in for itself`, STAGES, stagesYaml(STAGES)),
  ]
}

async function adoption(folder: string, cluster: Cluster): Promise<Figure> {
  const [rows, columns] = ADOPTED
  const jobs = rows * columns
  const project = join(folder, 'adopted')
  writeProject(project, heldCellsYaml(rows, columns))
  await secondsUntil(project, isNotice('SLURM_QUEUED'))
  assertQueued(cluster, jobs)
  const seconds: number[] = []
  const adopted = isNotice('SLURM_ADOPTED', `${jobs} jobs `)
  for (let turn = 0; turn < ADOPTIONS; turn++) seconds.push(await secondsUntil(project, adopted))
  assertQueued(cluster, jobs)
  cancelAll()
  const what = `from the start of the command until it watches the ${count(jobs)} jobs of a driver that was killed`
  return figure({ what, unit: 's', ours: seconds, reach: { max: 2 } })
}

async function submission(folder: string, cluster: Cluster): Promise<Figure> {
  const seconds: number[] = []
  for (let turn = 0; turn < SUBMISSIONS; turn++) {
    const project = join(folder, `shards-${turn}`)
    writeProject(project, heldShardsYaml(SHARDS))
    seconds.push(await secondsUntil(project, isNotice('SLURM_QUEUED'), Math.ceil(SHARDS / ARRAY)))
    assertQueued(cluster, SHARDS)
    cancelAll()
  }
  const what = `from the start of the command until ${count(SHARDS)} shards are planned and handed in, arrays of ${ARRAY}`
  return figure({ what, unit: 's', ours: seconds, reach: { max: 30 } })
}

function assertQueued(cluster: Cluster, jobs: number): void {
  const queued = cluster.jobs().filter((job) => job.endsWith(' PENDING')).length
  if (queued !== jobs) throw new Error(`expected ${jobs} jobs in the queue, found ${queued}`)
}

const count = (value: number): string => value.toLocaleString('en')
