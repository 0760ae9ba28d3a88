import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { loadPipeline } from '../../lib/pipeline/config.ts'
import type { LoadedPipeline } from '../../lib/pipeline/config.ts'
import type { Failure } from '../../lib/util/failure.ts'
import type { Result } from '../../lib/util/result.ts'

export interface More {
  /** Recipes by name, laid over in this order. */
  readonly recipes?: Readonly<Record<string, string>>
  readonly sets?: readonly string[]
  readonly files?: readonly string[]
}

/** Loads a pipeline.yaml in a temporary folder of its own, which also holds `input.txt` and `data/a.txt`. */
export async function load(yaml: string | Uint8Array, more: More = {}): Promise<Result<LoadedPipeline, Failure[]>> {
  const root = mkdtempSync(join(tmpdir(), 'config-'))
  const write = (name: string, text: string | Uint8Array): void => {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  try {
    for (const name of ['input.txt', 'data/a.txt', ...(more.files ?? [])]) write(name, name)
    for (const [name, text] of Object.entries(more.recipes ?? {})) write(name, text)
    write('pipeline.yaml', yaml)
    const overlays = Object.keys(more.recipes ?? {}).map((name) => join(root, name))
    return await loadPipeline({ file: join(root, 'pipeline.yaml'), overlays, sets: more.sets ?? [] })
  } finally {
    rmSync(root, { recursive: true })
  }
}

/** The pipeline of a configuration that must be right. */
export async function loaded(yaml: string, more?: More): Promise<LoadedPipeline> {
  const result = await load(yaml, more)
  if (!result.ok) assert.fail(result.error.map(words).join('\n'))
  return result.value
}

/** `CODE line:column` of every mistake of a configuration that must be wrong. */
export const mistakes = async (yaml: string | Uint8Array, more?: More): Promise<string[]> =>
  (await failures(yaml, more)).map(({ code, place }) => (place ? `${code} ${place.line}:${place.column}` : code))

export async function failures(yaml: string | Uint8Array, more?: More): Promise<Failure[]> {
  const result = await load(yaml, more)
  if (result.ok) assert.fail('expected a mistake, found none')
  return result.error
}

const words = ({ code, message, place }: Failure): string =>
  `${code} ${place?.line ?? 0}:${place?.column ?? 0} ${message}`

/** As JSON would carry it: without prototypes. */
export const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown

/** A file with one stage `s` that has these lines, four spaces deep. */
export const stage = (...lines: string[]): string =>
  ['version: 1', 'stages:', '  s:', '    cmd: [node]', ...lines.map((line) => `    ${line}`), ''].join('\n')

/** A file with these parameters, all used by `with` of its one stage. */
export const withParams = (params: string, value = '${p}'): string =>
  `version: 1\nparams:\n  p: ${params}\nstages:\n  s:\n    cmd: [node]\n    with: { v: '${value}' }\n`
