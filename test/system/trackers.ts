import { execFileSync, spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const packages = ['tensorboard==2.21.0', 'mlflow==3.17.2', 'wandb==0.31.0']

/** The programs of a Python environment with the trackers as PyPI has them, made where it is not there yet. */
export const trackerPrograms = (): string => (installed ??= install())

let installed: string | undefined

const install = (): string => pythonPrograms('trackers', packages)

/** The programs of a Python environment with packages as PyPI has them, made where it is not there yet. */
export function pythonPrograms(name: string, wanted: readonly string[]): string {
  const folder = join(import.meta.dirname, '..', '..', 'bench', '.peers', name)
  const programs = join(folder, 'bin')
  if (!hasAll(programs, wanted)) {
    execFileSync('python3', ['-m', 'venv', '--clear', folder])
    execFileSync(join(programs, 'pip'), ['install', '--quiet', ...wanted], { stdio: ['ignore', 2, 2] })
  }
  return programs
}

/** False also of an environment that was moved, whose programs no longer find their Python. */
function hasAll(programs: string, wanted: readonly string[]): boolean {
  const { error, stdout } = spawnSync(join(programs, 'pip'), ['freeze'], { encoding: 'utf8' })
  return error === undefined && wanted.every((name) => stdout.split('\n').includes(name.replace(/\[.*\]/, '')))
}

/** What a Python program prints as JSON. */
export const askPython = (args: readonly string[]): unknown =>
  JSON.parse(
    execFileSync(join(trackerPrograms(), 'python'), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  )

interface Started {
  readonly address: string
  readonly stop: () => Promise<void>
}

/** Starts a server of the environment on a free port of this machine, and waits until `path` answers. */
export async function startServer(
  program: string,
  args: readonly string[],
  cwd: string,
  path: string,
  programs = trackerPrograms(),
): Promise<Started> {
  const port = String(await freePort())
  const child = spawn(join(programs, program), [...args, '--host', '127.0.0.1', '--port', port], {
    ...{ cwd, detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  })
  const errors: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  const address = `http://127.0.0.1:${port}`
  const url = `${address}${path}`
  await until(
    () => (child.exitCode === null ? answers(url) : Promise.reject(new Error(`${program}: ${errors.join('')}`))),
    (isUp) => isUp,
  )
  return { address, stop: () => stop(child) }
}

/** What `ask` gives once it is as wanted: what a server has been told may take it a while. */
export async function until<T>(ask: () => Promise<T>, wanted: (found: T) => boolean): Promise<T> {
  for (const end = Date.now() + 120_000; ;) {
    const found = await ask()
    if (wanted(found)) return found
    if (Date.now() > end) throw new Error(`after two minutes it is still ${JSON.stringify(found)}`)
    await delay(100)
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  )

/** Its workers end with it: it leads a process group of its own. */
export async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('close', resolve))
  process.kill(-child.pid!, 'SIGKILL')
  await ended
}
