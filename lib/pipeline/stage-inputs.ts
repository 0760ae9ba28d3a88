import { join, resolve } from 'node:path'
import { Failure } from '../util/failure.ts'
import type { Json } from '../util/json.ts'
import type { Digest } from './canonical.ts'
import type { Input, OutputRef, Stage } from './pipeline.ts'
import { pinned } from './prepare.ts'
import type { Prepared, Settled } from './prepare.ts'
import type { StatCache, TreeDigest } from './stat-cache.ts'

/** What a stage is given for an input: an absolute path, a map of them, or a pinned source's string. */
export function inputValue(prepared: Prepared, input: Input, settled: ReadonlyMap<string, Settled>): Json {
  switch (input.kind) {
    case 'string':
      return pinned(prepared, input.value)
    case 'path':
      return resolve(prepared.pipeline.root, input.path)
    case 'stage':
      return outputPath(prepared, input, settled)
    case 'gather': {
      const cells = Object.entries(input.cells)
      return Object.fromEntries(cells.map(([cell, ref]) => [cell, outputPath(prepared, ref, settled)]))
    }
  }
}

/** Right in the store: nothing is copied for the stage that reads it. */
export function outputPath(prepared: Prepared, ref: OutputRef, settled: ReadonlyMap<string, Settled>): string {
  const stage = prepared.byId.get(ref.stage)
  const result = settled.get(ref.stage)
  if (stage === undefined || result === undefined) throw new Error(`Internal error: "${ref.stage}" has no result yet`)
  return join(prepared.store.folder(stage.name, result.key), stage.out[ref.output]!)
}

/** The state in which a stage finds its inputs, by path. */
export type InputStates = ReadonlyMap<string, Digest>

/**
 * Holds every input against the digest in the key: before a stage starts, and when it has ended. Then the state must be
 * that of `before` too: a file that was changed and changed back may have been read in between. Throws Failure
 * INPUT_CHANGED.
 */
export async function holdInputs(
  prepared: Prepared,
  stage: Stage,
  settled: ReadonlyMap<string, Settled>,
  before?: InputStates,
): Promise<InputStates> {
  const states = new Map<string, Digest>()
  for (const [name, input] of Object.entries(stage.in)) {
    for (const { path, digest, source } of parts(prepared, input, settled)) {
      const found = await treeOf(prepared.stats, path)
      if (found?.digest !== digest || (before !== undefined && found.state !== before.get(path)))
        throw changed(stage, name, path, source)
      states.set(path, found.state)
    }
  }
  return states
}

interface Part {
  readonly path: string
  readonly digest: Digest
  /** No stage made it. */
  readonly source: boolean
}

function parts(prepared: Prepared, input: Input, settled: ReadonlyMap<string, Settled>): readonly Part[] {
  const made = (ref: OutputRef): Part => ({
    path: outputPath(prepared, ref, settled),
    digest: settled.get(ref.stage)!.outputs[ref.output]!,
    source: false,
  })
  switch (input.kind) {
    case 'string':
      return []
    case 'path': {
      const path = resolve(prepared.pipeline.root, input.path)
      return [{ path, digest: prepared.sources.get(input.path)!, source: true }]
    }
    case 'stage':
      return [made(input)]
    case 'gather':
      return Object.values(input.cells).map(made)
  }
}

/** The content digest of a file or folder; undefined where it is gone or cannot be read. */
export async function contentOf(stats: StatCache, path: string): Promise<Digest | undefined> {
  return (await treeOf(stats, path))?.digest
}

async function treeOf(stats: StatCache, path: string): Promise<TreeDigest | undefined> {
  try {
    return await stats.tree(path)
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

function changed(stage: Stage, name: string, path: string, source: boolean): Failure {
  const advice = source
    ? 'It was edited after the run began, so that the result would not be that of the hashed bytes. Run again.'
    : 'A stage may only read its inputs: write to `out`, or copy first. The next run makes the damaged input anew.'
  const message = `The input "${name}" of stage "${stage.id}" ("${path}") changed while the stage ran; nothing was cached. ${advice}`
  return new Failure('INPUT_CHANGED', message, { exitCode: 1, place: stage.place })
}
