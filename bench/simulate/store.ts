import type { Digest } from '../../lib/pipeline/canonical.ts'
import type { Manifest } from '../../lib/pipeline/manifest.ts'
import { Store } from '../../lib/pipeline/store.ts'
import type { Found } from '../../lib/pipeline/store.ts'

/** A store whose results are said and not there; what is asked of it is counted. */
export class SimulatedStore extends Store {
  readonly requests = { find: 0, use: 0, manifest: 0 }
  readonly #results = new Map<string, Manifest>()

  put(manifest: Manifest): void {
    this.#results.set(manifest.key, manifest)
  }

  override use(_stage: string, key: Digest): boolean {
    this.requests.use += 1
    return this.#results.has(key)
  }

  override find(_stage: string, key: Digest): Promise<Found> {
    this.requests.find += 1
    const manifest = this.#results.get(key)
    return Promise.resolve(manifest === undefined ? { state: 'absent' } : { state: 'whole', manifest })
  }

  /** Asked once of each, by who waited for it. */
  override manifest(_stage: string, key: Digest): Manifest | undefined {
    this.requests.manifest += 1
    const manifest = this.#results.get(key)
    this.#results.delete(key)
    return manifest
  }
}
