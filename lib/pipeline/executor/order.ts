import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Bundle } from '../bundle.ts'
import { bundleFile } from '../bundle.ts'
import { sha256 } from '../canonical.ts'
import type { Digest } from '../canonical.ts'
import type { Execution, StageTask } from '../execute.ts'
import { writeAtomic } from '../files.ts'
import { ownProject, programBundle } from '../host-bundle.ts'
import type { Project } from '../project.ts'
import type { KeyRecord } from '../key.ts'
import type { Stage } from '../pipeline.ts'
import { upstream } from '../prepare.ts'
import type { Prepared, Settled } from '../prepare.ts'
import type { Store } from '../store.ts'

/**
 * What jobs are told, frozen when they are handed in: a folder `store/.jobs/<token>` with one order for each job, what
 * all of them share, and the code. Whatever is edited afterwards, they run what the key was made of.
 */
export interface Order {
  readonly key: Digest
  readonly stage: Stage
  readonly record: KeyRecord
  readonly reason: string
  readonly force: boolean
  /** Of the stages that it reads: where their results are. */
  readonly reads: Readonly<Record<string, { readonly stage: Pick<Stage, 'name' | 'out'>; readonly settled: Settled }>>
  /** Digests of the inputs that no stage makes, by path as written. */
  readonly sources: Readonly<Record<string, Digest>>
  readonly revisions: Readonly<Record<string, string>>
}

/** The same for all jobs that were handed in at once, which are of one stage. */
export interface Batch {
  /** Of the orders, by their numbers. */
  readonly keys: readonly Digest[]
  /** Where each order begins in their file, and where the last one ends. */
  readonly at: readonly number[]
  readonly root: string
  readonly artifacts: string
  readonly project: Project
  readonly engine: string
  readonly graceSeconds: number
  readonly bundle: Bundle | undefined
  readonly extend: readonly string[]
  /** Of the programs that a job and its stage's process run, each with its threads; their packages are found from `tool`. */
  readonly job: Program
  readonly host: Program
  readonly tool: Project
}

type Program = Pick<Bundle, 'digest' | 'workers'>

/** Where the orders of all batches lie. */
export const ordersFolder = ({ root }: Pick<Store, 'root'>): string => join(root, '.jobs')

export const BATCH = 'batch.json'
/** One file for all, as ten thousand would take longer to write than to run. */
const ORDERS = 'orders.jsonl'
export const eventsFile = (folder: string, index: number): string => join(folder, `${index}.events`)
/** What Slurm and a job that fails early say. */
export const outputFile = (folder: string, index: number | '%a'): string => join(folder, `${index}.out`)
export const codeFile = (folder: string, digest: Digest): string => join(folder, 'code', `${digest}.mjs`)

export interface Ordered {
  readonly run: Execution
  readonly task: StageTask
  readonly key: Digest
}

/** Writes the orders of jobs of one stage, and last what says that they are there. */
export async function writeOrders(folder: string, orders: readonly Ordered[]): Promise<Batch> {
  const texts = orders.map((ordered) => Buffer.from(`${JSON.stringify(orderOf(ordered))}\n`))
  const at = [0]
  for (const text of texts) at.push(at.at(-1)! + text.length)
  const batch = await batchOf(orders, at)
  mkdirSync(join(folder, 'code'), { recursive: true })
  freezeCode(folder, batch.tool, [batch.job, batch.host])
  if (batch.bundle !== undefined) freezeCode(folder, batch.project, [batch.bundle])
  // only their owner's: they may hold what only he may read
  writeAtomic(join(folder, ORDERS), Buffer.concat(texts), false, 0o600)
  writeAtomic(join(folder, BATCH), JSON.stringify(batch), false, 0o600)
  return batch
}

/** What the job with this number is told. Throws where it is not there. */
export function readOrder(folder: string, index: number): { readonly order: Order; readonly batch: Batch } {
  const batch = JSON.parse(readFileSync(join(folder, BATCH), 'utf8')) as Batch
  const [from, to] = batch.at.slice(index, index + 2)
  const fd = openSync(join(folder, ORDERS), 'r')
  try {
    const bytes = Buffer.alloc(to! - from!)
    readSync(fd, bytes, 0, bytes.length, from!)
    const order = JSON.parse(bytes.toString('utf8')) as Order
    // where its parts were written is no use to a job
    return { order: { ...order, stage: { ...order.stage, places: () => ({}) } }, batch }
  } finally {
    closeSync(fd)
  }
}

async function batchOf(orders: readonly Ordered[], at: readonly number[]): Promise<Batch> {
  const { run, task } = orders[0]!
  const { prepared, engine, graceSeconds } = run
  const { bundle, extend } = prepared.identities.get(task.stage.id)!
  const [job, host] = await Promise.all([programBundle('pipeline/executor/job.ts'), programBundle('pipeline/host.ts')])
  return {
    keys: orders.map(({ key }) => key),
    at,
    root: prepared.pipeline.root,
    artifacts: prepared.artifacts,
    project: prepared.project,
    engine,
    graceSeconds,
    bundle,
    extend,
    job: programOf(job),
    host: programOf(host),
    tool: ownProject(),
  }
}

const programOf = ({ digest, workers }: Bundle): Program => ({ digest, workers })

function freezeCode(folder: string, project: Project, programs: readonly Program[]): void {
  for (const digest of programs.flatMap(({ digest, workers }) => [digest, ...workers]))
    copyFileSync(bundleFile(project, digest), codeFile(folder, digest))
}

function orderOf({ run: { prepared, settled }, task, key }: Ordered): Order {
  const { stage, record, reason, force } = task
  const reads = upstream(stage).map((id) => {
    const { name, out } = prepared.byId.get(id)!
    return [id, { stage: { name, out }, settled: settled.get(id)! }] as const
  })
  const inputs = Object.values(stage.in)
  const paths = inputs.flatMap((input) => (input.kind === 'path' ? [input.path] : []))
  const texts = inputs.flatMap((input) => (input.kind === 'string' ? [input.value] : []))
  return {
    // a job runs once: whether there is another try is the driver's to say
    stage: { ...stage, retries: { times: 0, backoffSeconds: 0 } },
    ...{ key, record, reason, force },
    reads: Object.fromEntries(reads),
    sources: Object.fromEntries(paths.map((path) => [path, prepared.sources.get(path)!])),
    revisions: Object.fromEntries(texts.flatMap((text) => entryOf(prepared, text))),
  }
}

const entryOf = ({ revisions }: Prepared, text: string): [string, string][] => {
  const pinned = revisions.get(text)
  return pinned === undefined ? [] : [[text, pinned]]
}

/** Lays frozen code to where its packages resolve, unless it is there. Throws where the frozen code is not whole. */
export function layCode(folder: string, project: Project, { digest, workers }: Program): string {
  for (const one of [...workers, digest]) {
    const file = bundleFile(project, one)
    if (existsSync(file) && sha256(readFileSync(file)) === one) continue
    const bytes = readFileSync(codeFile(folder, one))
    if (sha256(bytes) !== one) throw new Error(`The code of the job, "${codeFile(folder, one)}", is not whole.`)
    mkdirSync(dirname(file), { recursive: true })
    writeAtomic(file, bytes, false)
  }
  return bundleFile(project, digest)
}
