import { basename, join } from 'node:path'
import { copyFileSync, constants, mkdirSync } from 'node:fs'
import { Failure } from '../util/failure.ts'
import type { Result } from '../util/result.ts'
import { err, ok } from '../util/result.ts'
import { isFile, isFolder } from './read.ts'
import { readSafetensors, weightFiles } from './safetensors.ts'

/**
 * The path that a stage was handed as a model, a corpus or items. A source that is not on this machine
 * (`hub:`, `https:`) is SOURCE_UNSUPPORTED, a path to nothing FILE_MISSING.
 */
export function localSource(source: string): Result<string, Failure> {
  const scheme = /^(hub|https?):/.exec(source)?.[1]
  if (scheme !== undefined) {
    const message = `"${source}" cannot be fetched: "${scheme}:" sources are not supported yet. Download it and give its folder as "file:PATH".`
    return err(new Failure('SOURCE_UNSUPPORTED', message))
  }
  if (isFolder(source) || isFile(source)) return ok(source)
  return err(new Failure('FILE_MISSING', `There is no file or folder "${source}".`))
}

/** Besides the weights; those marked true must be there. */
const modelFiles = {
  'config.json': true,
  'generation_config.json': false,
  'tokenizer.json': false,
  'tokenizer_config.json': false,
  'special_tokens_map.json': false,
  'vocab.json': false,
  'merges.txt': false,
}

/**
 * Copies what belongs to a model (configuration, weights, tokenizer) from one folder to another, and nothing else that
 * lies there. Its weight files are checked first. Throws `Failure` FILE_MISSING, SAFETENSORS_….
 */
export function copyModel(from: string, to: string): void {
  const checked = readSafetensors(from)
  if (!checked.ok) throw checked.error
  mkdirSync(to, { recursive: true })
  for (const [name, needed] of Object.entries(modelFiles)) {
    if (isFile(join(from, name))) copyInto(join(from, name), to)
    else if (needed) throw new Failure('FILE_MISSING', `There is no "${name}" in the model folder "${from}".`)
  }
  for (const file of weightFiles(from)) copyInto(file, to)
}

/** Copies the tokenizer files of a folder, a model's or a tokenizer's own. */
export function copyTokenizer(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const name of [
    'tokenizer.json',
    'tokenizer_config.json',
    'special_tokens_map.json',
    'vocab.json',
    'merges.txt',
  ]) {
    if (isFile(join(from, name))) copyInto(join(from, name), to)
  }
}

function copyInto(file: string, folder: string): void {
  // where the file system can, the copy shares its blocks with the original
  copyFileSync(file, join(folder, basename(file)), constants.COPYFILE_FICLONE)
}
