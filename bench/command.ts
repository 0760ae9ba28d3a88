import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Event } from '../lib/pipeline/event.ts'

type Finished = Extract<Event, { type: 'finished' }>

/** The last line of `run --json`, and how long the command took from start to exit. */
export type Ran = Omit<Finished, 'type'> & { readonly seconds: number }

export interface Started {
  readonly pid: number
  /** Rejects where the run failed; what the command said of it has gone to standard error. */
  readonly ended: Promise<Ran>
}

/** The command's bin file: not through npx, which alone costs several times what it starts. */
export const binOf = (root: string): string => join(root, 'lib', 'cli', 'bin.cjs')

/** Starts `pipeline run --json` of the project in `root`. */
export function startPipeline(
  root: string,
  args: readonly string[] = [],
  onEvent: (event: Event) => void = () => undefined,
): Started {
  const started = performance.now()
  const child = spawn(process.execPath, [binOf(root), 'run', '--json', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = lastLine(child, child.stdout, onEvent).then(({ experiment, stages, metrics }) => ({
    ...{ experiment, stages, metrics },
    seconds: (performance.now() - started) / 1000,
  }))
  return { pid: child.pid!, ended }
}

async function lastLine(child: ChildProcess, out: Readable, onEvent: (event: Event) => void): Promise<Finished> {
  const closed = once(child, 'close')
  let last: Finished | undefined
  for await (const line of createInterface({ input: out })) {
    const event = JSON.parse(line) as Event
    if (event.type === 'finished') last = event
    else onEvent(event)
  }
  const [code] = (await closed) as [number | null]
  if (code !== 0 || last === undefined) throw new Error(`"pipeline run" ended with exit code ${code ?? 'none'}`)
  return last
}
