import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readWritten } from '../pipeline/config.ts'
import { editorSchema, modulesOf } from '../pipeline/editor-schema.ts'
import { writeAtomic } from '../pipeline/files.ts'
import { isPackaged, packagedModule } from '../pipeline/stage-package.ts'
import { stageSchemas } from '../pipeline/stage-schemas.ts'
import { child, entriesOf, textOf } from '../pipeline/tree.ts'
import type { Tree } from '../pipeline/tree.ts'
import { errorCode } from '../util/error-code.ts'
import type { Failure } from '../util/failure.ts'
import { ok } from '../util/result.ts'
import type { Result } from '../util/result.ts'
import type { ConfigOptions } from './options.ts'

export const EDITOR_FILE = 'pipeline.schema.json'

interface Written {
  readonly modules: readonly string[]
  readonly isNew: boolean
}

/**
 * Writes pipeline.schema.json for the stages that pipeline.yaml runs, those that are named, and those that the file knew
 * and that are still there. Failures as of reading pipeline.yaml, BUNDLE_…, MODULE_BROKEN.
 */
export async function writeEditorFile(
  root: string,
  named: readonly string[] = [],
  { recipe, set }: ConfigOptions = { recipe: [], set: [] },
): Promise<Result<Written, Failure[]>> {
  const document = readWritten({ file: join(root, 'pipeline.yaml'), overlays: recipe, sets: set })
  if (!document.ok) return document
  const before = contentOf(join(root, EDITOR_FILE))
  const known = modulesOf(before).filter((module) => isThere(root, module))
  const modules = [...new Set([...runBy(document.value), ...known, ...named])].sort()
  const stages = await stageSchemas(root, modules)
  if (!stages.ok) return stages
  const text = editorSchema(stages.value, document.value)
  const isNew = text !== before
  if (isNew) writeAtomic(join(root, EDITOR_FILE), text)
  return ok({ modules, isNew })
}

/**
 * After a run: writes the file anew where a project has one and its stages, or what they take, are others now. True where
 * it did. What keeps it from that is said by the run, or hinders an editor alone.
 */
export async function refreshEditorFile(root: string): Promise<boolean> {
  if (!existsSync(join(root, EDITOR_FILE))) return false
  try {
    const written = await writeEditorFile(root)
    return written.ok && written.value.isNew
  } catch (error) {
    if (errorCode(error) === undefined) throw error
    return false // a folder that may be read alone
  }
}

const contentOf = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '')

const isThere = (root: string, module: string): boolean =>
  isPackaged(module) ? packagedModule(root, module).ok : existsSync(join(root, module))

/** The files of `run:`, as they are written. */
const runBy = (document: Tree): string[] =>
  [...entriesOf(child(document, 'stages')).values()].flatMap(({ value }) => textOf(child(value, 'run')) ?? [])
