import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { LOG, readManifest } from '../pipeline/manifest.ts'
import type { Manifest } from '../pipeline/manifest.ts'
import type { ExperimentRecord } from '../pipeline/experiment.ts'
import { storeOf } from '../pipeline/prepare.ts'
import { isKey } from '../pipeline/store.ts'
import { readScores } from '../report/scores.ts'
import type { Artifacts, LogPart, Sample } from './api.ts'

/** Of a log that is longer, its end is shown. */
const MOST_LOG_BYTES = 256 * 1024

/** The folder of a result; undefined where the names are none of a stage and a key. */
export function resultFolder(root: string, stage: string, key: string): string | undefined {
  const name = stage.replace(/\[.*/s, '')
  if (!isKey(key) || !/^[\w-][\w.@-]*$/.test(name)) return undefined
  return join(storeOf(root), name, key)
}

function manifestOf(root: string, stage: string, key: string): Manifest | undefined {
  const folder = resultFolder(root, stage, key)
  return folder === undefined ? undefined : readManifest(folder, key)
}

export function artifactsOfResult(root: string, stage: string, key: string): Artifacts {
  const manifest = manifestOf(root, stage, key)
  return manifest?.files.map(({ path, size }) => ({ path, size })) ?? null
}

/** The absolute path of a file of a result; undefined where its manifest has none of this name. */
export function artifactFile(root: string, stage: string, key: string, path: string): string | undefined {
  const known = manifestOf(root, stage, key)?.files.some((file) => file.path === path) === true
  const file = known ? join(resultFolder(root, stage, key)!, path) : undefined
  return file !== undefined && existsSync(file) ? file : undefined
}

export function resultLog(root: string, stage: string, key: string): string | undefined {
  const folder = resultFolder(root, stage, key)
  return folder === undefined ? undefined : join(folder, LOG)
}

/** A part of a log, from so many bytes on; undefined where there is none. */
export function readLog(file: string, from: number): LogPart | undefined {
  const size = statSync(file, { throwIfNoEntry: false })?.size
  if (size === undefined) return undefined
  const start = Math.max(Math.min(from, size), size - MOST_LOG_BYTES)
  const bytes = Buffer.alloc(size - start)
  const fd = openSync(file, 'r')
  try {
    const read = readSync(fd, bytes, 0, bytes.length, start)
    // a character may be half written: it comes with the next part
    const whole = start + read - unfinished(bytes.subarray(0, read))
    return { text: bytes.subarray(0, whole - start).toString('utf8'), next: whole }
  } finally {
    closeSync(fd)
  }
}

/** Bytes at the end that begin a character of UTF-8 and do not complete it. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0
    if (byte < 0x80) return 0
  }
  return 0
}

/** Texts that the models of an experiment continued, where their scores are in the store. */
export async function samplesOf(root: string, record: ExperimentRecord): Promise<Sample[]> {
  const prompts = new Map<string, Record<string, string>>()
  for (const [id, { key, outputs, stage }] of Object.entries(record.stages)) {
    const file = stage?.out['scores']
    if (!('scores' in outputs) || file === undefined) continue
    const folder = resultFolder(root, id, key)
    const scores = folder === undefined ? undefined : await readScores(join(folder, file))
    if (scores?.ok !== true) continue
    const model = Object.values(stage?.cell ?? {}).join(', ') || id
    for (const { prompt, continuation } of scores.value.samples)
      prompts.set(prompt, { ...prompts.get(prompt), [model]: continuation })
  }
  return [...prompts].map(([prompt, answers]) => ({ prompt, answers }))
}
