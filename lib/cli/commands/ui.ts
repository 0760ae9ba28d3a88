import { loadPipeline } from '../../pipeline/config.ts'
import { startUi } from '../../ui/server.ts'
import type { ConfigOptions } from '../options.ts'
import { write, writeJson } from '../output.ts'
import { revisionsOf } from '../revisions.ts'
import { runCommand } from '../run-command.ts'
import { listenForStop } from '../signals.ts'
import { style } from '../style.ts'

export interface UiArguments extends ConfigOptions {
  readonly port?: number
}

/** `pipeline ui`: the page, until Ctrl-C, which is how it ends. Throws Failure PORT_…. */
export async function ui(options: UiArguments): Promise<number> {
  const { port, json, recipe, set } = options
  const stop = listenForStop(() => undefined)
  const load = () => loadPipeline({ file: 'pipeline.yaml', overlays: recipe, sets: set })
  const shown = { root: process.cwd(), load, resolveRevisions: revisionsOf('no'), command: runCommand(options) }
  const { url, close } = await startUi({ ...shown, port })
  if (json === true) writeJson({ type: 'ui', url })
  else write(`${style('bold', url)}\nfor this machine alone, as long as this runs; Ctrl-C ends`)
  if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener('abort', resolve))
  await close()
  const code = stop.exitCode() ?? 0
  return code === 130 ? 0 : code
}
