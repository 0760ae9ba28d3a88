import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import type { Event, StageResult } from '../../lib/pipeline/event.ts'
import type { Input, Pipeline, Program, Stage } from '../../lib/pipeline/pipeline.ts'
import { planRun } from '../../lib/pipeline/plan.ts'
import type { PlanOptions, StagePlan } from '../../lib/pipeline/plan.ts'
import { runPipeline } from '../../lib/pipeline/run.ts'
import type { RunOptions, RunSummary } from '../../lib/pipeline/run-options.ts'

/** A pipeline in a temporary folder, made by hand, and what tests do to it. */
export class Rig {
  readonly root: string
  readonly events: Event[] = []

  constructor(context: TestContext | undefined) {
    this.root = mkdtempSync(join(tmpdir(), 'rig-'))
    // what a test killed may be writing its last
    context?.after(() => rmSync(this.root, { recursive: true, force: true, maxRetries: 5 }))
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts)
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(this.path(file)), { recursive: true })
    writeFileSync(this.path(file), text)
  }

  has(file: string): boolean {
    return existsSync(this.path(file))
  }

  read(file: string): string {
    return readFileSync(this.path(file), 'utf8')
  }

  pipeline(stages: readonly Stage[], more: Partial<Pipeline> = {}): Pipeline {
    const base = {
      root: this.root,
      files: ['pipeline.yaml'],
      params: {},
      metrics: undefined,
      page: undefined,
      remote: undefined,
      trust: undefined,
      resolved: {},
    }
    return { ...base, stages, ...more }
  }

  /** Runs to the end; throws what was wrong before anything ran. */
  async run(stages: readonly Stage[] | Pipeline, options: Partial<RunOptions> = {}): Promise<RunSummary> {
    const pipeline = 'root' in stages ? stages : this.pipeline(stages)
    this.events.length = 0
    const { signal } = new AbortController()
    const onEvent = (event: Event): void => void this.events.push(event)
    const result = await runPipeline(pipeline, {
      ...{ engine: 'auto', resolveRevisions: noHub, signal, kill: signal, onEvent },
      ...options,
    })
    if (!result.ok) throw result.error[0]!
    return result.value
  }

  /** The same, as `name: outcome` in order. */
  async outcomes(stages: readonly Stage[] | Pipeline, options: Partial<RunOptions> = {}): Promise<string[]> {
    return outcomesOf((await this.run(stages, options)).finished.stages)
  }

  async plan(stages: readonly Stage[], options: Partial<PlanOptions> = {}): Promise<readonly StagePlan[]> {
    const result = await planRun(this.pipeline(stages), { resolveRevisions: noHub, ...options })
    if (!result.ok) throw result.error[0]!
    return result.value.stages
  }

  notices(): string[] {
    return this.events.flatMap((event) => (event.type === 'notice' ? [event.code] : []))
  }
}

const noHub = (): Promise<never> => Promise.reject(new Error('a rig has no hub'))

export const outcomesOf = (results: readonly StageResult[]): string[] =>
  results.map(({ name, outcome }) => `${name}: ${outcome}`)

type Loose = Partial<Omit<Stage, 'in' | 'program'>> & { readonly in?: Readonly<Record<string, string | Input>> }

const PLACE = { file: 'pipeline.yaml', line: 1, column: 1 }

/** A stage; `in` takes `stage.output` or `./path`. */
export function stage(id: string, program: Program, more: Loose = {}): Stage {
  const inputs = Object.entries(more.in ?? {}).map(([name, input]) => [
    name,
    typeof input === 'string' ? inputOf(input) : input,
  ])
  return {
    id,
    name: id.replace(/\[.*/, ''),
    cell: {},
    program,
    with: {},
    out: {},
    resources: { gpu: 0, cpu: 0, memory: 0 },
    env: [],
    timeoutSeconds: undefined,
    retries: { times: 0, backoffSeconds: 0 },
    place: PLACE,
    places: () => ({}),
    ...more,
    in: Object.fromEntries(inputs) as Record<string, Input>,
  }
}

function inputOf(text: string): Input {
  if (text.startsWith('./') || text.startsWith('/')) return { kind: 'path', path: text }
  const dot = text.lastIndexOf('.')
  return { kind: 'stage', stage: text.slice(0, dot), output: text.slice(dot + 1) }
}

/** A program that is one line of shell, with its paths in PIPELINE_IN_… and PIPELINE_OUT_…. */
export const shell = (script: string): Program => ({
  kind: 'command',
  argv: ['sh', '-c', script].map((text) => [{ kind: 'text', text }]),
})

export const module = (file: string): Program => ({ kind: 'module', file })

/** Waits for something that another process does. Fails by the test's own time-out, never by a guess at a duration. */
export async function until(condition: () => boolean, { signal }: TestContext): Promise<void> {
  while (!condition()) await delay(10, undefined, { signal })
}
