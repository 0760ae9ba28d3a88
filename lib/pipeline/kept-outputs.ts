import { copyFileSync, existsSync, readdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { makeFolder, syncFile, syncFolder } from '../util/durable.ts'
import type { Digest } from './canonical.ts'
import { contentOf, outputPath } from './stage-inputs.ts'
import { readJson, remove, token } from './files.ts'
import type { Stage } from './pipeline.ts'
import type { Prepared, Settled } from './prepare.ts'
import type { StatCache } from './stat-cache.ts'

/** Beside an experiment's record, by content digest. */
const OUTPUTS = 'outputs'
/** Bytes. What is larger is compared only where the store has it: git is no place for weights. */
export const LARGEST_IN_GIT = 1_000_000

/**
 * Keeps with an experiment the files for which a tolerance is declared, because where it is reproduced without its store
 * a digest cannot tell how near a number is.
 */
export function keepOutputs(prepared: Prepared, settled: ReadonlyMap<string, Settled>, folder: string): void {
  for (const { id, tolerance = {} } of prepared.stages) {
    for (const output of Object.keys(tolerance)) {
      const path = outputPath(prepared, { stage: id, output }, settled)
      const stat = statSync(path)
      if (stat.isFile() && stat.size <= LARGEST_IN_GIT)
        keep(path, join(folder, OUTPUTS), settled.get(id)!.outputs[output]!)
    }
  }
}

function keep(path: string, folder: string, digest: Digest): void {
  if (existsSync(join(folder, digest))) return
  makeFolder(folder)
  const temporary = join(folder, `.${digest}.${token()}.tmp`)
  try {
    copyFileSync(path, temporary)
    syncFile(temporary)
    renameSync(temporary, join(folder, digest))
    syncFolder(folder)
  } finally {
    remove(temporary)
  }
}

/** Names of the kept outputs of an experiment's folder, from that folder on. */
export function keptOutputs(folder: string): string[] {
  const outputs = join(folder, OUTPUTS)
  return existsSync(outputs) ? readdirSync(outputs).map((name) => join(OUTPUTS, name)) : []
}

/** Where an output of an experiment is kept, if it is whole. */
export async function findKept(
  folders: readonly string[],
  digest: Digest,
  stats: StatCache,
): Promise<string | undefined> {
  for (const path of folders.map((folder) => join(folder, OUTPUTS, digest))) {
    if (existsSync(path) && (await contentOf(stats, path)) === digest) return path
  }
  return undefined
}

/** Whether a record has these tolerances: they are in no key, so that a change of them leaves all fresh. */
export function hasTolerances(file: string, stages: readonly Stage[]): boolean {
  const record = readJson(file) as
    { readonly stages?: Readonly<Record<string, { readonly stage?: Pick<Stage, 'tolerance'> }>> } | undefined
  return stages.every(({ id, tolerance = {} }) =>
    isDeepStrictEqual({ ...record?.stages?.[id]?.stage?.tolerance }, { ...tolerance }),
  )
}
