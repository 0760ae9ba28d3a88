import { pull, push } from '../../pipeline/remote/sync.ts'
import type { Synced, SyncedStage } from '../../pipeline/remote/sync.ts'
import { size } from '../format.ts'
import { load } from '../load.ts'
import { exitCodeOf, write, writeError, writeFailures, writeJson } from '../output.ts'
import type { ConfigOptions } from '../program.ts'
import { revisionsOf } from '../revisions.ts'
import { listenForStop } from '../signals.ts'
import { style } from '../style.ts'

/** `pipeline push [HASH]`: exit code 0; 1 where an experiment's result is on neither side; 2 a mistake of the user. */
export const pushResults = (hash: string | undefined, options: ConfigOptions): Promise<number> =>
  sync(push, hash, options)

/** `pipeline pull [HASH]`: exit code 0; 1 where the remote lacks a result of an experiment, or it is damaged there. */
export const pullResults = (hash: string | undefined, options: ConfigOptions): Promise<number> =>
  sync(pull, hash, options)

async function sync(act: typeof push, hash: string | undefined, options: ConfigOptions): Promise<number> {
  const json = options.json === true
  const stop = listenForStop(() => writeError('stopping'))
  const loaded = await load(options)
  const { signal } = stop
  const synced = loaded.ok
    ? await act(loaded.value, { experiment: hash, resolveRevisions: revisionsOf('no', signal), signal })
    : loaded
  if (!synced.ok) {
    writeFailures(synced.error, json)
    return stop.exitCode() ?? exitCodeOf(synced.error)
  }
  if (json) writeJson(synced.value)
  else write(words(synced.value))
  const { stages } = synced.value
  const lacks = (result: SyncedStage['result']): boolean => stages.some((stage) => stage.result === result)
  return lacks('refused') || (hash !== undefined && lacks('absent')) ? 1 : 0
}

const STYLES = { pushed: 'green', pulled: 'green', there: 'dim', absent: 'yellow', refused: 'red' } as const

function words({ remote, experiment, stages }: Synced): string {
  const lines = stages.map(({ stage, result, bytes, message }) => {
    const more = message ?? (bytes > 0 ? size(bytes) : '')
    return `${style(STYLES[result], result.padEnd(8))} ${stage}${more === '' ? '' : `  ${more}`}`
  })
  const record = experiment === null ? '' : `, and the record of ${experiment.slice(0, 16)}`
  return [...lines, `${stages.length} results${record}: ${remote}`].join('\n')
}
