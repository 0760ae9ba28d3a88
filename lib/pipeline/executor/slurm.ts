import type { Failure } from '../../util/failure.ts'
import type { Digest } from '../canonical.ts'
import type { Event } from '../event.ts'
import type { Execution, Executor, StageEnd, StageTask } from '../execute.ts'
import { withRetries } from '../retry.ts'
import { cancelled } from '../stage-failures.ts'
import type { Store } from '../store.ts'
import { failureOf } from './job-events.ts'
import { JobWatch } from './job-watch.ts'
import type { JobOutcome } from './job-watch.ts'
import { jobFailure, unseen } from './slurm-failures.ts'
import { Submission } from './submission.ts'

/** Makes results by jobs of a Slurm cluster whose nodes see the same folders as this machine. One for a run. */
export class Slurm {
  readonly #store: Store
  readonly #watch: JobWatch
  readonly #submission: Submission

  constructor(store: Store, emit: (event: Event) => void) {
    const away = (words: string): void => {
      const message = `Slurm does not answer: ${words} Jobs that run go on; it is asked again until it does.`
      emit({ type: 'notice', stage: null, code: 'SLURM_AWAY', message })
    }
    this.#store = store
    this.#watch = new JobWatch(away)
    this.#submission = new Submission(store, emit, away)
  }

  /** Throws what `storeFailure` words, and a Failure where Slurm does not take the job. */
  readonly make: Executor = (run, task, key) => withRetries(run, task, () => this.#makeOnce(run, task, key))

  async #makeOnce(run: Execution, task: StageTask, key: Digest): Promise<StageEnd> {
    const there = await this.#there(task, key)
    if (there !== undefined) return there
    const place = await this.#submission.place({ run, task, key })
    const { signal, kill, emit } = run
    const outcome = await this.#watch.watch({ ...place, stage: task.stage.id, signal, kill, emit })
    const end = this.#endOf(task, key, outcome)
    // says more than that a job died, or left nothing that is seen
    if (end.outcome === 'failed') this.#store.assertThere()
    this.#submission.leave(place)
    return end
  }

  /** A damaged result is the job's to move away, which holds the key's lock. */
  async #there({ stage, force }: StageTask, key: Digest): Promise<StageEnd | undefined> {
    if (force || Object.keys(stage.out).length === 0) return undefined
    this.#store.use(stage.name, key)
    const found = await this.#store.find(stage.name, key)
    return found.state === 'whole' ? { outcome: 'fresh', key, manifest: found.manifest } : undefined
  }

  #endOf({ stage, force }: StageTask, key: Digest, outcome: JobOutcome): StageEnd {
    const failed = (failure: Failure, log: string | null = null): StageEnd => ({ outcome: 'failed', key, failure, log })
    if (outcome.type === 'cancelled') return failed(cancelled(stage))
    if (outcome.type === 'said' && outcome.end.outcome === 'failed')
      return failed(failureOf(outcome.end), outcome.end.log)
    const folder = this.#store.folder(stage.name, key)
    const manifest = this.#store.manifest(stage.name, key)
    if (outcome.type === 'fate') {
      // a job may publish and be killed before it can say so
      return manifest === undefined || force
        ? failed(jobFailure(stage, outcome.fate))
        : { outcome: 'ran', key, manifest }
    }
    if (manifest === undefined) return failed(unseen(stage, folder))
    const { outcome: how, second } = outcome.end as Exclude<typeof outcome.end, { outcome: 'failed' }>
    return { outcome: how, key, manifest, ...(second === undefined ? {} : { second }) }
  }
}
