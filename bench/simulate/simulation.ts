import { rmSync } from 'node:fs'
import { sha256 } from '../../lib/pipeline/canonical.ts'
import type { Event } from '../../lib/pipeline/event.ts'
import type { Order } from '../../lib/pipeline/executor/order.ts'
import type { Manifest } from '../../lib/pipeline/manifest.ts'
import type { Prepared } from '../../lib/pipeline/prepare.ts'
import { runPrepared } from '../../lib/pipeline/run.ts'
import { simulateClock } from './clock.ts'
import { Cluster } from './cluster.ts'
import { simulateCommands } from './commands.ts'
import { countFiles } from './files.ts'
import { makeProject } from './project.ts'
import { SimulatedStore } from './store.ts'

export interface Asked {
  readonly nodes: number
  readonly shards: number
  /** What the nth task takes, in ms; the last is the merge. */
  readonly duration: (nth: number) => number
  /** As slurm.conf has them where nobody said else. */
  readonly largestArray?: number
  readonly mostJobs?: number
}

/** Times in s. */
export interface Simulated {
  readonly makespan: number
  /** No schedule is shorter: all parts on all nodes with none idle, and the merge after them. */
  readonly bound: number
  /** Of this process, without what the simulation itself takes of the CPU. */
  readonly driver: { readonly cpu: number; readonly peakBytes: number }
  /** What was handed in until the first part had ended, and what of the driver's time that took. */
  readonly submitted: { readonly tasks: number; readonly cpu: number }
  readonly scheduler: Readonly<Record<string, number>>
  readonly store: Readonly<Record<string, number>>
  readonly parts: number
  /** Codes of what was said on the way. */
  readonly notices: readonly string[]
}

/** Makes a result of so many parts by the real plan and the real executor of Slurm; cluster, store and time are simulated. */
export async function simulate({
  shards,
  nodes,
  duration,
  largestArray = 1001,
  mostJobs = 10_000,
}: Asked): Promise<Simulated> {
  const { root, prepared } = await makeProject(shards)
  try {
    const store = new SimulatedStore(prepared.artifacts, prepared.stats)
    const publish = (order: Order, seconds: number): void => store.put(manifestOf(order, seconds))
    const cluster = new Cluster({ nodes, largestArray, mostJobs, duration, publish })
    const driven = await drive(cluster, { ...prepared, store }, store)
    const merge = duration(shards)
    return { ...driven, bound: (cluster.busyMs - merge) / nodes / 1000 + merge / 1000 }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function drive(cluster: Cluster, prepared: Prepared, store: SimulatedStore): Promise<Omit<Simulated, 'bound'>> {
  const { seconds, leaveOut } = cpuClock()
  const clock = simulateClock((to) => leaveOut(() => cluster.advance(to)))
  const commands = simulateCommands(cluster, clock, leaveOut)
  const files = countFiles(store.root)
  const seen = { parts: 0, peakBytes: 0, submitted: { tasks: 0, cpu: 0 } }
  const notices = new Set<string>()
  const onEvent = (event: Event): void => {
    if (event.type === 'notice') notices.add(event.code)
    if (event.type === 'failure') throw event.failure
    if (event.type !== 'stage-finished' || !event.name.includes('[')) return
    if (seen.parts === 0) seen.submitted = { tasks: cluster.handedIn, cpu: seconds() }
    if (seen.parts++ % 1000 === 0) seen.peakBytes = Math.max(seen.peakBytes, process.memoryUsage.rss())
  }
  try {
    const { signal } = new AbortController()
    const asked = { engine: 'auto', resolveRevisions: () => Promise.resolve([]), signal, kill: signal, onEvent }
    await clock.run(runPrepared(prepared, asked))
    const driver = { cpu: seconds(), peakBytes: Math.max(seen.peakBytes, process.memoryUsage.rss()) }
    const scheduler = Object.fromEntries(cluster.requests)
    const asks = { ...store.requests, ...files.counts }
    return {
      makespan: clock.now() / 1000,
      driver,
      submitted: seen.submitted,
      scheduler,
      store: asks,
      parts: seen.parts,
      notices: [...notices].sort(),
    }
  } finally {
    files.undo()
    commands.undo()
    clock.restore()
  }
}

/** CPU time of this process but for what is left out. */
function cpuClock() {
  const began = process.cpuUsage()
  let left = 0
  const used = (): number => {
    const { user, system } = process.cpuUsage(began)
    return (user + system) / 1e6
  }
  return {
    seconds: () => used() - left,
    leaveOut: <T>(work: () => T): T => {
      const before = used()
      try {
        return work()
      } finally {
        left += used() - before
      }
    },
  }
}

function manifestOf({ key, record, stage }: Order, seconds: number): Manifest {
  const made = Object.entries(stage.out).map(([name, file]) => [name, { file, digest: sha256(key) }])
  const ran = { device: 'simulated', engine: 'auto', machine: {}, at: new Date().toISOString(), seconds }
  const outputs = Object.fromEntries(made) as Manifest['outputs']
  return { version: 1, stage: stage.id, key, record, outputs, files: [], sources: {}, ran }
}
