import { writeFileSync } from 'node:fs'
import { editorSchema } from '../../pipeline/editor-schema.ts'
import { stageSchemas } from '../../pipeline/stage-schemas.ts'
import { load } from '../load.ts'
import type { ConfigOptions } from '../options.ts'
import { exitCodeOf, write, writeFailures, writeJson } from '../output.ts'

const FILE = 'pipeline.schema.json'

/**
 * `pipeline schema [FILE…]`: what editors complete and check pipeline.yaml by, with the parameters of its stages, those of
 * recipes, and of the modules named.
 */
export async function schema(files: readonly string[], options: ConfigOptions): Promise<number> {
  const loaded = await load(options)
  const modules = loaded.ok
    ? loaded.value.stages.flatMap(({ program }) => (program.kind === 'module' ? [program.file] : []))
    : []
  const all = [...new Set([...modules, ...files])].sort()
  const made = loaded.ok ? await stageSchemas(loaded.value.root, all) : loaded
  if (!made.ok) {
    writeFailures(made.error, options.json === true)
    return exitCodeOf(made.error)
  }
  writeFileSync(FILE, editorSchema(made.value))
  if (options.json === true) writeJson({ file: FILE, stages: all })
  else write(`wrote    ${FILE}`)
  return 0
}
