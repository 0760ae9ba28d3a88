import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { programOf } from './debian.ts'
import { ACCOUNTS, startAccounts } from './slurm-accounts.ts'

/** Marks every process of a cluster, so that its end takes those and no others. */
const MARK = 'TEST_SLURM'

/**
 * A Slurm of Debian's packages on this machine: a controller and nodes `n1` to `n3` with two cores, 6000 MB and two GPUs
 * each, whose devices are stand-ins. Partitions `main` and `urgent`, whose jobs push those of `main` back into the queue.
 * A job that takes more memory than it asked for is killed.
 */
export class Cluster {
  readonly root = mkdtempSync(join(tmpdir(), 'slurm-'))
  readonly #processes = new Map<string, ChildProcess>()

  private constructor() {
    for (const name of ['state', 'log']) mkdirSync(join(this.root, name))
  }

  /**
   * Starts one and points this process's Slurm commands at it. `settings` are lines of slurm.conf; those of `ACCOUNTS`
   * bring a database of what became of its jobs.
   */
  static async start(settings: readonly string[] = []): Promise<Cluster> {
    for (const [program, name] of [
      ['munged', 'munge'],
      ['slurmctld', 'slurmctld'],
      ['slurmd', 'slurmd'],
      ['sbatch', 'slurm-client'],
    ] as const)
      programOf(program, name)
    const cluster = new Cluster()
    await cluster.#configure(settings)
    process.env['SLURM_CONF'] = cluster.#path('slurm.conf')
    await cluster.#startAll(settings.includes(ACCOUNTS)).catch(async (error: unknown) => {
      await cluster.stop()
      throw error
    })
    return cluster
  }

  async #configure(settings: readonly string[]): Promise<void> {
    const [control, accounts, ...nodes] = await freePorts(2 + NODES.length)
    const ports = nodes.map(
      (port, index) => `NodeName=${NODES[index]!} NodeHostname=${hostname()} Port=${port} ${NODE}`,
    )
    const paths = [
      `SlurmctldHost=${hostname()}(127.0.0.1)`,
      `SlurmctldPort=${control!}`,
      `AccountingStoragePort=${accounts!}`,
      `AccountingStoragePass=${this.#path('munge.sock')}`,
      `AuthInfo=socket=${this.#path('munge.sock')},cred_expire=5`,
      `StateSaveLocation=${this.#path('state')}`,
      `SlurmdSpoolDir=${this.#path('spool-%n')}`,
      `SlurmctldPidFile=${this.#path('slurmctld.pid')}`,
      `SlurmdPidFile=${this.#path('%n.pid')}`,
      `SlurmctldLogFile=${this.#path('log/slurmctld')}`,
      `SlurmdLogFile=${this.#path('log/%n')}`,
    ]
    writeFileSync(this.#path('slurm.conf'), [SETTINGS, ...paths, ...settings, ...ports, PARTITIONS, ''].join('\n'))
    writeFileSync(this.#path('cgroup.conf'), 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n')
    // Slurm wants devices, and tells them apart by their names: these are all /dev/null
    for (const gpu of ['gpu0', 'gpu1']) execFileSync('mknod', [this.#path(gpu), 'c', '1', '3'])
    const gres = NODES.map((node) => `NodeName=${node} Name=gpu File=${this.#path('gpu[0-1]')}`)
    writeFileSync(this.#path('gres.conf'), `${gres.join('\n')}\n`)
    writeFileSync(this.#path('munge.key'), randomBytes(128), { mode: 0o600 })
  }

  async #startAll(withAccounts: boolean): Promise<void> {
    const munge = Object.entries({ socket: 'munge.sock', 'key-file': 'munge.key', 'pid-file': 'munge.pid' })
    const files = [...munge, ['seed-file', 'munge.seed'], ['log-file', 'log/munge']]
    this.#spawn('munged', [
      '--foreground',
      '--force',
      ...files.map(([name, file]) => `--${name!}=${this.#path(file!)}`),
    ])
    while (!readdirSync(this.root).includes('munge.sock')) await delay(20)
    if (withAccounts) await startAccounts(this.root, (program, args, env) => this.#spawn(program, args, program, env))
    this.#spawn('slurmctld', ['-D'])
    for (const node of NODES) this.startNode(node)
    await this.until(() => this.nodes().every((state) => state === 'idle'))
  }

  startNode(node: string): void {
    this.#spawn('slurmd', ['-D', '-N', node], node)
  }

  #spawn(program: string, args: readonly string[], node = program, more: Record<string, string> = {}): void {
    const env = { ...process.env, ...more, [MARK]: `${this.root}:${node}:` }
    this.#processes.set(node, spawn(programOf(program), args, { stdio: 'ignore', env }))
  }

  /** What a node that loses its power leaves: nothing runs on it any more, and nobody is told. */
  failNode(node: string): void {
    const [mark, named] = [`${MARK}=${this.root}:${node}:`, `SLURMD_NODENAME=${node}\0`]
    killWhere((environment) => environment.includes(mark) || (environment.includes(named) && this.#owns(environment)))
  }

  async stopController(): Promise<void> {
    const child = this.#processes.get('slurmctld')!
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  }

  startController(): void {
    this.#spawn('slurmctld', ['-D'])
  }

  /** What the controller says of itself. */
  log(): string {
    return readFileSync(this.#path('log/slurmctld'), 'utf8')
  }

  nodes(): string[] {
    return attempt('sinfo', '-hN', '-p', 'main', '-o', '%t').split('\n').slice(0, -1)
  }

  /** Of the jobs that Slurm knows, the first one first: `id state`. */
  jobs(): string[] {
    return attempt('squeue', '-h', '-r', '-S', 'i', '-t', 'all', '-o', '%i %T').split('\n').slice(0, -1)
  }

  async until(holds: () => boolean, seconds = 60): Promise<void> {
    const end = Date.now() + seconds * 1000
    while (!holds()) {
      await delay(100)
      if (Date.now() > end) throw new Error(`Slurm did not come so far: ${this.nodes().join()}; ${this.jobs().join()}`)
    }
  }

  /** Ends all that runs in it. */
  async stop(): Promise<void> {
    attempt('scancel', '--user=root')
    for (const end = Date.now() + 5000; Date.now() < end && this.jobs().some((job) => /RUN|COMPLETING/.test(job));)
      await delay(100)
    killWhere((environment) => this.#owns(environment))
    await delay(200)
    rmSync(this.root, { recursive: true, force: true, maxRetries: 3 })
  }

  /** Daemons by their mark; jobs by the settings with which they run. */
  #owns(environment: string): boolean {
    if (environment.includes(`${MARK}=${this.root}:`)) return true
    return environment.includes(`SLURM_CONF=${this.#path('slurm.conf')}\0`) && environment.includes('SLURMD_NODENAME=')
  }

  #path(name: string): string {
    return join(this.root, name)
  }
}

const NODES = ['n1', 'n2', 'n3']
const NODE = 'NodeAddr=127.0.0.1 CPUs=2 RealMemory=6000 Gres=gpu:2 State=UNKNOWN'
const PARTITIONS = `PartitionName=main Nodes=ALL Default=YES PriorityTier=1
PartitionName=urgent Nodes=ALL PriorityTier=10`

const SETTINGS = `ClusterName=test
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=3000
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=6
KillWait=5
MaxJobCount=20000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1`

/** What a command prints; nothing where it fails. */
function attempt(program: string, ...args: string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return ''
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  for (const server of servers) server.close()
  return ports
}

function killWhere(holds: (environment: string) => boolean): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      if (holds(readFileSync(`/proc/${pid}/environ`, 'latin1'))) process.kill(Number(pid), 'SIGKILL')
    } catch {
      // ended meanwhile
    }
  }
}
