import { readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import type { SourceMapping } from 'node:module'
import { isAbsolute, join, relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Failure } from '../util/failure.ts'
import type { Place } from '../util/failure.ts'
import type { Bundle } from './bundle.ts'
import type { Stage } from './pipeline.ts'
import { moduleFile } from './stage-package.ts'

/**
 * A failure that a stage's code threw, at the line that was written: what runs is a bundle without white space. As it was
 * where the sources have changed since.
 */
export async function inSources(
  failure: Failure,
  { program }: Stage,
  bundle: Bundle | undefined,
  root: string,
): Promise<Failure> {
  const { cause: stack, code, message, exitCode } = failure
  if (program.kind !== 'module' || bundle === undefined || typeof stack !== 'string' || stack === '') return failure
  const { sourceMapOf } = await import('./bundle-build.ts')
  const text = await sourceMapOf(moduleFile(root, program.file), root, bundle.digest)
  if (text === undefined) return failure
  const map = new SourceMap(JSON.parse(text) as ConstructorParameters<typeof SourceMap>[0])
  const frames = stack.split('\n').map((line) => written(line, bundle.file, map, root))
  const last = frames.findLastIndex(({ at }) => at !== undefined)
  if (last < 0) return failure
  // under these are the frames of the program that runs stages
  const cause = frames
    .slice(0, last + 1)
    .map(({ line }) => line)
    .join('\n')
  const own = frames.find(({ at }) => at !== undefined && !at.file.split('/').includes('node_modules'))?.at
  const place = own === undefined ? failure.place : { ...own, ...lineOf(join(root, own.file), own.line) }
  return new Failure(code, message, { exitCode, cause, ...(place && { place }) })
}

interface Frame {
  readonly line: string
  readonly at?: Pick<Place, 'file' | 'line' | 'column'>
}

/** `    at run (file:///…/<digest>.mjs:1:387)` as `    at run (stages/hello.ts:16:27)`. */
function written(line: string, bundle: string, map: SourceMap, root: string): Frame {
  const [, row, column] = /:(\d+):(\d+)\)?$/.exec(line) ?? []
  const url = pathToFileURL(bundle).href
  if (row === undefined || !line.includes(url)) return { line }
  const found = map.findEntry(Number(row) - 1, Number(column) - 1) as Partial<SourceMapping>
  if (found.originalSource === undefined) return { line }
  const { originalSource, originalLine = 0, originalColumn = 0 } = found
  const file = isAbsolute(originalSource) ? relative(root, originalSource) : originalSource
  const at = { file: file.split(sep).join('/'), line: originalLine + 1, column: originalColumn + 1 }
  return { line: line.replace(`${url}:${row}:${column!}`, `${at.file}:${at.line}:${at.column}`), at }
}

function lineOf(file: string, line: number): Pick<Place, 'text'> {
  try {
    const text = readFileSync(file, 'utf8').split(/\r?\n/)[line - 1]
    return text === undefined ? {} : { text }
  } catch {
    return {}
  }
}
