import { join, relative, resolve, sep } from 'node:path'
import type { Failure } from '../util/failure.ts'
import type { Result } from '../util/result.ts'
import { definitions } from './definition.ts'
import { dependenciesOf, readAgain } from './dependencies.ts'
import type { Dependencies } from './dependencies.ts'
import type { Event } from './event.ts'
import { FileChanges } from './file-changes.ts'
import type { Pipeline } from './pipeline.ts'
import { prepare } from './prepare.ts'
import type { Prepared } from './prepare.ts'
import { projectAt } from './project.ts'
import { runPrepared } from './run.ts'
import type { RunOptions, RunSummary } from './run-options.ts'
import { StatCache } from './stat-cache.ts'

export interface WatchOptions extends Omit<RunOptions, 'signalOf'> {
  /** The folder of pipeline.yaml. */
  readonly root: string
  /** pipeline.yaml and recipes. */
  readonly files: readonly string[]
  readonly load: () => Promise<Result<Pipeline, Failure[]>>
  /** Told what is wrong where nothing could run. */
  readonly onRefused: (failures: readonly Failure[]) => void
  readonly onRan: (pipeline: Pipeline, summary: RunSummary) => void
}

/**
 * Runs, and again whenever something that the plan depends on has another content, until the signal. What is forced is
 * forced the first time alone. True if a run was in progress at the signal.
 */
export async function watchPipeline(options: WatchOptions): Promise<boolean> {
  const watching = new Watching(options)
  try {
    return await watching.loop()
  } finally {
    watching.close()
  }
}

class Watching {
  readonly #options: WatchOptions
  readonly #changes: FileChanges
  readonly #stats: StatCache
  readonly #lock: string
  #dependencies: Dependencies = new Map()
  /** The mistakes that were said last: said once, not at every save around them. */
  #said = ''

  constructor(options: WatchOptions) {
    const { folder, cache } = projectAt(options.root)
    this.#options = options
    this.#lock = join(folder, 'package-lock.json')
    this.#stats = new StatCache(cache)
    this.#changes = new FileChanges(this.#stats)
  }

  close(): void {
    this.#changes.close()
  }

  async loop(): Promise<boolean> {
    let { force } = this.#options
    while (!this.#isOver()) {
      const { prepared } = await this.#read()
      if (prepared.ok) {
        this.#said = ''
        const again = await this.#run(prepared.value, force)
        force = undefined
        if (this.#isOver()) return true
        if (again) continue
        this.#sayWatching()
      } else if (!this.#isOver() && this.#isNews(prepared.error)) {
        this.#options.onRefused(prepared.error)
        this.#sayWatching()
      }
      await this.#waitForChange()
    }
    return false
  }

  #isOver(): boolean {
    return this.#options.signal.aborted
  }

  #sayWatching(): void {
    this.#emit({ type: 'watching', paths: this.#dependencies.size })
  }

  async #waitForChange(): Promise<void> {
    const paths = await this.#changes.next(this.#options.signal)
    if (paths.length === 0) return
    this.#said = ''
    this.#emit({ type: 'changed', paths: paths.map(this.#nameOf), stopped: [] })
  }

  #isNews(failures: readonly Failure[]): boolean {
    const words = JSON.stringify(failures.map(({ code, message, place }) => [code, message, place]))
    if (words === this.#said) return false
    this.#said = words
    return true
  }

  /** Contents are taken before they are read by others: what changes in between differs from them at the next look. */
  async #read(): Promise<{ readonly prepared: Result<Prepared, Failure[]> }> {
    const { root, files, load, targets, resolveRevisions } = this.#options
    const known = [...files, this.#lock].map((file): [string, { kind: 'file' }] => [resolve(file), { kind: 'file' }])
    const always = await readAgain(known, this.#stats)
    const before = await readAgain(this.#dependencies, this.#stats)
    const loaded = await load()
    const prepared = loaded.ok ? await prepare(loaded.value, targets, resolveRevisions) : loaded
    // of a plan that could not be made, what the last one was made from is the best guess; what is missing may be anywhere
    this.#dependencies = new Map([...(prepared.ok ? dependenciesOf(prepared.value) : before), ...always])
    this.#changes.expect(this.#dependencies, prepared.ok ? undefined : root)
    return { prepared }
  }

  /** True where the plan that ran is not the last one any more. */
  async #run(prepared: Prepared, force: RunOptions['force']): Promise<boolean> {
    const { signal, onEvent, onRan } = this.#options
    const stops = new Stops(prepared, signal)
    const ended = new AbortController()
    const run = runPrepared(prepared, {
      ...this.#options,
      force,
      signalOf: stops.signalOf,
      onEvent: (event) => {
        stops.hear(event)
        if (!stops.isOwn(event)) onEvent(event)
      },
    }).finally(() => ended.abort())
    const replaced = await this.#replaceWhile(stops, AbortSignal.any([signal, ended.signal]))
    const summary = await run
    if (!replaced) onRan(prepared.pipeline, summary)
    return replaced
  }

  async #replaceWhile(stops: Stops, ended: AbortSignal): Promise<boolean> {
    let [replaced, broken] = [false, false]
    for (;;) {
      const paths = await this.#changes.next(ended)
      if (ended.aborted) return replaced || broken
      const { prepared } = await this.#read()
      broken = !prepared.ok
      // said now, and what runs goes on: a slip in an editor must not end hours of training
      if (!prepared.ok) {
        const failures = this.#isNews(prepared.error) ? prepared.error : []
        for (const failure of failures) this.#emit({ type: 'failure', stage: null, failure, log: null })
        continue
      }
      const stopped = stops.replace(prepared.value)
      if (stopped === undefined) continue
      replaced = true
      this.#emit({ type: 'changed', paths: paths.map(this.#nameOf), stopped })
    }
  }

  readonly #nameOf = (path: string): string => {
    const name = relative(this.#options.root, path)
    return name.startsWith('..') ? path : name.split(sep).join('/')
  }

  #emit(event: Event): void {
    this.#options.onEvent(event)
  }
}

/** Which stages of a run in progress a new plan stops. */
class Stops {
  readonly #definitions: ReadonlyMap<string, string>
  readonly #running = new Set<string>()
  readonly #controllers: ReadonlyMap<string, AbortController>
  readonly #signal: AbortSignal

  constructor(prepared: Prepared, signal: AbortSignal) {
    this.#definitions = definitions(prepared)
    this.#controllers = new Map(prepared.stages.map(({ id }) => [id, new AbortController()]))
    this.#signal = signal
  }

  readonly signalOf = (stage: string): AbortSignal =>
    AbortSignal.any([this.#signal, this.#controllers.get(stage)!.signal])

  hear(event: Event): void {
    if (event.type === 'stage-started') this.#running.add(event.stage)
    if (event.type === 'stage-finished') this.#running.delete(event.name)
  }

  /** The end of a stage that was stopped here is no failure to tell of. */
  isOwn(event: Event): boolean {
    if (event.type !== 'failure' || event.stage === null || this.#signal.aborted) return false
    return event.failure.code === 'STAGE_CANCELLED' && this.#controllers.get(event.stage)!.signal.aborted
  }

  /**
   * Lets the running stages that are what they were end; stops the others, and starts no more of the old plan. Gives
   * those that ran and were stopped; undefined where no stage is another one.
   */
  replace(prepared: Prepared): string[] | undefined {
    const now: ReadonlyMap<string, string> = definitions(prepared)
    const isSame = (id: string): boolean => now.get(id) === this.#definitions.get(id)
    if (now.size === this.#definitions.size && [...now.keys()].every(isSame)) return undefined
    const stopped = [...this.#running].filter((id) => !isSame(id))
    for (const [id, controller] of this.#controllers) {
      if (!this.#running.has(id) || !isSame(id)) controller.abort()
    }
    return stopped
  }
}
