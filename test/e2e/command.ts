import { spawn } from 'node:child_process'
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

const BIN = join(import.meta.dirname, '..', '..', 'lib', 'cli', 'bin.cjs')

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly errors: string
}

export type Line = Readonly<Record<string, unknown>> & { readonly type: string }

/** A test, or a suite: what is done after it. */
export interface Context {
  readonly after: (then: () => void) => void
}

/** A temporary folder in which the real command runs. */
export class Place {
  readonly root: string
  /** Variables of the command beside the test's own; those of trackers are not, or tests would log to them. */
  readonly env: Record<string, string> = { MLFLOW_TRACKING_URI: '', WANDB_API_KEY: '', WANDB_MODE: '' }

  constructor(context: Context) {
    this.root = mkdtempSync(join(tmpdir(), 'command-'))
    // what a test killed may be writing its last
    context.after(() => rmSync(this.root, { recursive: true, force: true, maxRetries: 5 }))
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.root, file)), { recursive: true })
    writeFileSync(join(this.root, file), text)
  }

  read(file: string): string {
    return readFileSync(join(this.root, file), 'utf8')
  }

  has(file: string): boolean {
    return existsSync(join(this.root, file))
  }

  /** Starts the command, for who reads what it writes. */
  spawn(args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
    return spawn(process.execPath, [BIN, ...args], {
      cwd: this.root,
      env: { ...process.env, NO_COLOR: '1', ...this.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  /** Starts the command; `ended` gives its exit code and all that it wrote. */
  start(args: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
    const child = this.spawn(args)
    const [out, errors]: [string[], string[]] = [[], []]
    child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
    const ended = new Promise<Ended>((resolve) =>
      child.on('close', (code) => {
        resolve({ code, out: out.join(''), errors: errors.join('') })
      }),
    )
    return { child, ended }
  }

  run(...args: string[]): Promise<Ended> {
    return this.start(args).ended
  }

  /** The lines of `run --json`, each of which must be JSON. */
  async lines(
    ...args: string[]
  ): Promise<{ readonly code: number | null; readonly lines: readonly Line[]; readonly last: Line }> {
    const { code, out } = await this.run('run', '--json', ...args)
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line)
    return { code, lines, last: lines.at(-1)! }
  }

  /** Results of a stage that are there to be restored. */
  results(stage: string): string[] {
    return readdirSync(join(this.root, 'artifacts', 'store', stage)).filter((name) => /^[0-9a-f]{64}$/.test(name))
  }

  async until(file: string): Promise<void> {
    while (!this.has(file)) await delay(20)
  }
}

/** `name: outcome` of the last line of a run. */
export const outcomes = (last: Line): string[] =>
  (last.stages as { readonly name: string; readonly outcome: string }[]).map(
    ({ name, outcome }) => `${name}: ${outcome}`,
  )

/** A stage that writes as many megabytes as its parameter says. */
export const FILL = `import { writeFileSync } from 'node:fs'
export default {
  params: { type: 'object', properties: { megabytes: { type: 'number', minimum: 0, default: 0 } } },
  in: [], out: ['text'],
  async run({ with: { megabytes }, out }) { writeFileSync(out.text, 'x'.repeat(megabytes * 1e6)) },
}
`
