import { pull, push } from '../../pipeline/remote/sync.ts'
import type { Synced, SyncedStage } from '../../pipeline/remote/sync.ts'
import { size } from '../format.ts'
import { load } from '../load.ts'
import { exitCodeOf, write, writeError, writeFailures, writeJson } from '../output.ts'
import type { ConfigOptions } from '../options.ts'
import { revisionsOf } from '../revisions.ts'
import { listenForStop } from '../signals.ts'
import { style } from '../style.ts'

const VERBS = { push, pull } as const

/**
 * `pipeline push` and `pull [HASH|STAGE…]`. Exit code 0; 1 where a result that was named is not there, or is damaged; 2 a
 * mistake of the user.
 */
export async function sync(
  verb: keyof typeof VERBS,
  targets: readonly string[],
  options: ConfigOptions,
): Promise<number> {
  const json = options.json === true
  const stop = listenForStop(() => writeError('stopping'))
  const loaded = await load(options)
  const { signal } = stop
  const synced = loaded.ok
    ? await VERBS[verb](loaded.value, { targets, resolveRevisions: revisionsOf('no', signal), signal })
    : loaded
  if (!synced.ok) {
    writeFailures(synced.error, json)
    return stop.exitCode() ?? exitCodeOf(synced.error)
  }
  if (json) writeJson(synced.value)
  else write(words(synced.value))
  const { stages } = synced.value
  const lacks = (result: SyncedStage['result']): boolean => stages.some((stage) => stage.result === result)
  return lacks('refused') || (targets.length > 0 && lacks('absent')) ? 1 : 0
}

const STYLES = { pushed: 'green', pulled: 'green', there: 'plain', absent: 'yellow', refused: 'red' } as const

function words({ remote, experiments, stages }: Synced): string {
  const lines = stages.map(({ stage, result, bytes, message }) => {
    const more = message ?? (bytes > 0 ? size(bytes) : '')
    return `${style(STYLES[result], result.padEnd(8))} ${stage}${more === '' ? '' : `  ${more}`}`
  })
  const hashes = experiments.map((hash) => hash.slice(0, 16)).join(', ')
  const record = hashes === '' ? '' : `, and the record of ${hashes}`
  return [...lines, `${stages.length} results${record}: ${remote}`].join('\n')
}
