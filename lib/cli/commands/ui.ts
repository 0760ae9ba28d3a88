import { loadPipeline } from '../../pipeline/config.ts'
import { startUi } from '../../ui/server.ts'
import { write, writeJson } from '../output.ts'
import { revisionsOf } from '../revisions.ts'
import { listenForStop } from '../signals.ts'
import { style } from '../style.ts'

export interface UiArguments {
  readonly port: number
  readonly json?: boolean
}

/** `pipeline ui`: the page, until Ctrl-C, which is how it ends. Throws Failure PORT_…. */
export async function ui({ port, json }: UiArguments): Promise<number> {
  const stop = listenForStop(() => undefined)
  const load = () => loadPipeline({ file: 'pipeline.yaml', overlays: [], sets: [] })
  const { url, close } = await startUi({ root: process.cwd(), port, load, resolveRevisions: revisionsOf('no') })
  if (json === true) writeJson({ type: 'ui', url })
  else write(`${style('bold', url)}\n${style('dim', 'for this machine alone, as long as this runs; Ctrl-C ends')}`)
  if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener('abort', resolve))
  await close()
  const code = stop.exitCode() ?? 0
  return code === 130 ? 0 : code
}
