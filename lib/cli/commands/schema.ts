import { EDITOR_FILE, writeEditorFile } from '../editor-file.ts'
import { load } from '../load.ts'
import type { ConfigOptions } from '../options.ts'
import { exitCodeOf, write, writeFailures, writeJson } from '../output.ts'

/**
 * `pipeline schema [FILE…]`: what editors complete and check pipeline.yaml by, with the parameters of its stages, those of
 * recipes, and of the modules named.
 */
export async function schema(files: readonly string[], options: ConfigOptions): Promise<number> {
  const loaded = await load(options)
  const written = loaded.ok ? await writeEditorFile(loaded.value.root, files, options) : loaded
  if (!written.ok) {
    writeFailures(written.error, options.json === true)
    return exitCodeOf(written.error)
  }
  if (options.json === true) writeJson({ file: EDITOR_FILE, stages: written.value.modules })
  else write(`wrote    ${EDITOR_FILE}`)
  return 0
}
