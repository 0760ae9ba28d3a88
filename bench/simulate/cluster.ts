import { appendFileSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Digest } from '../../lib/pipeline/canonical.ts'
import { eventsFile } from '../../lib/pipeline/executor/order.ts'
import type { Order } from '../../lib/pipeline/executor/order.ts'
import { Heap } from './heap.ts'

/** A cluster as its users see it, but for the work, which takes its time and is not done. Times are in ms. */
export interface ClusterSize {
  /** Each runs one task at a time. */
  readonly nodes: number
  /** `MaxArraySize` and `MaxJobCount` of slurm.conf. */
  readonly largestArray: number
  readonly mostJobs: number
  /** How long the nth task takes. */
  readonly duration: (nth: number) => number
  /** Told of each task that has ended, and when. */
  readonly publish: (order: Order, seconds: number) => void
}

interface Batch {
  readonly id: number
  readonly name: string
  readonly folder: string
  readonly isArray: boolean
  orders: readonly Order[] | undefined
  left: number
}

interface Task {
  readonly batch: Batch
  readonly index: number
  state: 'PENDING' | 'RUNNING' | 'COMPLETED'
  node: number
}

interface Running {
  readonly at: number
  readonly since: number
  readonly task: Task
}

/** slurm.conf's MinJobAge: for so long squeue shows what has ended. */
const SHOWN_MS = 300_000
const ANSWER = { sbatch: 50, scancel: 50, scontrol: 20, sacct: 50, squeue: 20 }
/** What squeue takes for a row. */
const ROW_MS = 0.02

export interface Answer {
  readonly out: string
  readonly words: string
  /** How long the command takes. */
  readonly ms: number
}

/** Slurm's commands over simulated nodes: tasks start in the order of their handing in, each on the node that is free. */
export class Cluster {
  readonly requests = new Map<string, number>()
  readonly #size: ClusterSize
  readonly #pending: Task[] = []
  #next = 0
  readonly #running = new Heap<Running>()
  readonly #ended: { readonly at: number; readonly task: Task }[] = []
  readonly #free: number[]
  #jobs = 0
  #begun = 0
  #alive = 0
  /** Tasks. */
  handedIn = 0
  /** Of all that began. */
  busyMs = 0

  constructor(size: ClusterSize) {
    this.#size = size
    this.#free = Array.from({ length: size.nodes }, (_, node) => size.nodes - node)
  }

  answer(name: string, args: readonly string[], now: number): Answer {
    this.requests.set(name, (this.requests.get(name) ?? 0) + 1)
    const ms = ANSWER[name as keyof typeof ANSWER]
    if (name === 'squeue') return this.#squeue(now)
    if (name === 'sbatch') return { ...this.#sbatch(args, now), ms }
    if (name === 'scontrol') return { out: `MaxArraySize = ${this.#size.largestArray}\n`, words: '', ms }
    return { out: '', words: '', ms }
  }

  /** What happens up to this time. */
  advance(to: number): void {
    for (let next = this.#running.first; next !== undefined && next.at <= to; next = this.#running.first) {
      this.#running.pop()
      this.#end(next)
      this.#start(next.at)
    }
  }

  #sbatch(args: readonly string[], now: number): Omit<Answer, 'ms'> {
    if (args.includes('--test-only')) return { out: '', words: '' }
    const option = (name: string): string | undefined =>
      args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3)
    const array = option('array')
    const count = array === undefined ? 1 : Number(array.split('-')[1]) + 1
    if (this.#alive + count > this.#size.mostJobs)
      return { out: '', words: 'Slurm temporarily unable to accept job, sleeping and retrying' }
    const folder = dirname(option('output')!)
    const [id, name, isArray] = [(this.#jobs += 1), option('job-name')!, array !== undefined]
    const batch: Batch = { id, name, folder, isArray, orders: undefined, left: count }
    for (let index = 0; index < count; index++) this.#pending.push({ batch, index, state: 'PENDING', node: 0 })
    this.handedIn += count
    this.#alive += count
    this.#start(now)
    return { out: `${id}\n`, words: '' }
  }

  #start(now: number): void {
    while (this.#free.length > 0 && this.#next < this.#pending.length) {
      const task = this.#pending[this.#next++]!
      task.node = this.#free.pop()!
      task.state = 'RUNNING'
      const ms = this.#size.duration(this.#begun++)
      this.busyMs += ms
      say(task, { type: 'began', host: `n${task.node}` })
      this.#running.push({ at: now + ms, since: now, task })
    }
    if (this.#next < this.#pending.length) return
    this.#pending.length = 0
    this.#next = 0
  }

  #end({ at, since, task }: Running): void {
    const { batch } = task
    batch.orders ??= ordersOf(batch.folder)
    const order = batch.orders[task.index]!
    this.#size.publish(order, (at - since) / 1000)
    say(task, { type: 'end', outcome: 'ran', key: order.key })
    task.state = 'COMPLETED'
    this.#free.push(task.node)
    this.#ended.push({ at, task })
    this.#alive -= 1
    batch.left -= 1
    if (batch.left === 0) batch.orders = []
  }

  #squeue(now: number): Answer {
    const first = this.#ended.findIndex(({ at }) => at >= now - SHOWN_MS)
    this.#ended.splice(0, first < 0 ? this.#ended.length : first)
    const rows: string[] = []
    for (const { task } of this.#ended) rows.push(row(task))
    for (const { task } of this.#running) rows.push(row(task))
    for (let index = this.#next; index < this.#pending.length; index++) rows.push(row(this.#pending[index]!))
    return { out: `${rows.join('\n')}\n`, words: '', ms: ANSWER.squeue + rows.length * ROW_MS }
  }
}

const row = ({ batch: { id, name, isArray }, index, state, node }: Task): string =>
  `${id}|${id}|${isArray ? index : 'N/A'}|${state}|${node === 0 ? '' : `n${node}`}|None|${name}`

type Said =
  | { readonly type: 'began'; readonly host: string }
  | { readonly type: 'end'; readonly outcome: 'ran'; readonly key: Digest }

/** As a job does; the driver may have removed the folder of one that it has done with. */
function say({ batch, index }: Task, line: Said): void {
  try {
    appendFileSync(eventsFile(batch.folder, index), `${JSON.stringify(line)}\n`)
  } catch {
    // see above
  }
}

const ordersOf = (folder: string): Order[] =>
  readFileSync(join(folder, 'orders.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Order)
