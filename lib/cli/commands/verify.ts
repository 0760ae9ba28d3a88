import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { verifyTwice } from '../../pipeline/twice.ts'
import { loadPipeline } from '../../pipeline/config.ts'
import { healResults, healSources } from '../../pipeline/remote/heal.ts'
import type { HealedResult } from '../../pipeline/remote/heal.ts'
import { keysToPull } from '../../pipeline/remote/signing-key.ts'
import { projectAt } from '../../pipeline/project.ts'
import { verifySources } from '../../pipeline/sources/care.ts'
import type { DamagedSource, VerifiedSources } from '../../pipeline/sources/care.ts'
import { StatCache } from '../../pipeline/stat-cache.ts'
import type { Store } from '../../pipeline/store.ts'
import { verifyStore } from '../../pipeline/verify.ts'
import type { DamagedResult } from '../../pipeline/verify.ts'
import type { Code } from '../../util/codes/index.ts'
import { Failure } from '../../util/failure.ts'
import { size } from '../format.ts'
import { load } from '../load.ts'
import { exitCodeOf, write, writeError, writeFailures, writeJson } from '../output.ts'
import { choosePrinter } from '../choose-printer.ts'
import type { ConfigOptions } from '../options.ts'
import { revisionsOf } from '../revisions.ts'
import { listenForStop } from '../signals.ts'
import { storeHere } from '../store.ts'
import { style } from '../style.ts'
import { wordFailure } from '../words.ts'

export interface VerifyArguments extends ConfigOptions {
  readonly twice?: string
}

/**
 * `pipeline verify`: reads all results again, and heals from the remote. Exit code 1 where one stays damaged.
 * `pipeline verify --twice STAGE`: runs a stage again. Exit code 1 where it came out otherwise, or failed.
 */
export async function verify(options: VerifyArguments): Promise<number> {
  if (options.twice !== undefined) return runTwice(options.twice, options)
  if (options.recipe.length + options.set.length > 0) {
    throw new Failure(
      'OPTION_UNUSED',
      '--recipe and --set are for `--twice`: without it all results are read. Leave them out.',
    )
  }
  const { root, store } = storeHere()
  const { results, bytes, damaged: found } = verifyStore(store)
  const stats = new StatCache(projectAt(root).cache)
  const copies = await verifySources(root, stats)
  stats.save()
  const { damaged, sources } = await heal(root, store, found, copies)
  const all = [...damaged, ...sources.damaged]
  const left = all.filter((one) => !one.healed)
  const healed = left.length < all.length ? `, ${all.length - left.length} of them healed` : ''
  if (options.json === true) writeJson({ results, bytes, damaged, sources })
  else {
    for (const result of damaged) write(words(result, relative(root, store.folder(result.stage, result.key)), root))
    for (const source of sources.damaged) write(sourceWords(source, root))
    const alsoCopies = sources.copies > 0 ? `, ${sources.copies} copies of sources` : ''
    const read = `${results} results${alsoCopies}, ${size(bytes + sources.bytes)} read`
    write(`${read}: ${all.length === 0 ? 'all whole' : `${all.length} damaged${healed}`}`)
  }
  return left.length > 0 ? 1 : 0
}

async function runTwice(stage: string, options: VerifyArguments): Promise<number> {
  const json = options.json === true
  const stop = listenForStop((step) => writeError(`${step}: the stored result stays; once more ends the stage at once`))
  const loaded = await load(options)
  const { signal, kill } = stop
  const onEvent = await choosePrinter({ json })
  const done = loaded.ok
    ? await verifyTwice(loaded.value, stage, { signal, kill, onEvent, resolveRevisions: revisionsOf('no', signal) })
    : loaded
  if (done.ok) return stop.exitCode() ?? (done.value.every(({ result }) => result === 'identical') ? 0 : 1)
  writeFailures(done.error, json)
  return stop.exitCode() ?? exitCodeOf(done.error)
}

interface Healed {
  readonly damaged: readonly HealedResult[]
  readonly sources: VerifiedSources
}

/** Results verify as well without a pipeline.yaml, and with one that is wrong. */
async function heal(
  root: string,
  store: Store,
  damaged: readonly DamagedResult[],
  sources: VerifiedSources,
): Promise<Healed> {
  const untouched = { damaged: damaged.map((result) => ({ ...result, healed: false })), sources }
  if (damaged.length + sources.damaged.length === 0 || !existsSync('pipeline.yaml')) return untouched
  const loaded = await loadPipeline({ file: 'pipeline.yaml', overlays: [], sets: [] })
  if (!loaded.ok || loaded.value.remote === undefined) return untouched
  const tell = (message: string, code: Code): void => writeError(wordFailure(new Failure(code, message), 'warning'))
  const whole = { address: loaded.value.remote, keys: keysToPull(loaded.value), tell }
  return {
    damaged: await healResults(whole, store, damaged),
    sources: { ...sources, damaged: await healSources(whole, root, sources.damaged) },
  }
}

function sourceWords({ path, aside, healed }: DamagedSource, root: string): string {
  const now = healed ? 'kept anew' : 'what it was a copy of was not found'
  return `${style('red', 'damaged')} ${relative(root, path)}\n  moved to ${relative(root, aside)}; ${now}`
}

function words({ damage, aside, healed }: HealedResult, folder: string, root: string): string {
  const lines = damage.map(
    ({ path, expected, found }) =>
      `${style('red', 'damaged')} ${join(folder, path)}\n  expected ${expected ?? 'no file'}\n  found    ${found ?? 'nothing that can be read'}`,
  )
  const where =
    aside === null
      ? '  a run that makes it has it: verify again when that has ended'
      : `  moved to ${relative(root, aside)}; ${healed ? 'fetched from the remote' : 'the next run makes it anew'}`
  return [...lines, where].join('\n')
}
