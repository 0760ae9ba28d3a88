import { constants, copyFileSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Failure } from '../util/failure.ts'
import { isFile } from './read.ts'
import { weightFiles } from './weight-files.ts'
import { readWeights } from './weights.ts'

export const tokenizerFiles = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'vocab.json',
  'merges.txt',
]

/** What a model has besides its weights. */
export const modelFiles = ['config.json', 'generation_config.json', ...tokenizerFiles]

/**
 * Copies what belongs to a model (configuration, weights, tokenizer) from one folder to another, and nothing else that
 * lies there. Its weight files are checked first. Throws `Failure` FILE_MISSING, and what `readWeights` throws.
 */
export async function copyModel(from: string, to: string): Promise<void> {
  await readWeights(from)
  mkdirSync(to, { recursive: true })
  for (const name of modelFiles) {
    if (isFile(join(from, name))) copyInto(join(from, name), to)
    else if (name === 'config.json')
      throw new Failure('FILE_MISSING', `There is no "${name}" in the model folder "${from}".`)
  }
  for (const file of weightFiles(from)) copyInto(file, to)
}

/** Copies the tokenizer files of a folder, a model's or a tokenizer's own. */
export function copyTokenizer(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const name of tokenizerFiles) {
    if (isFile(join(from, name))) copyInto(join(from, name), to)
  }
}

function copyInto(file: string, folder: string): void {
  // where the file system can, the copy shares its blocks with the original
  copyFileSync(file, join(folder, basename(file)), constants.COPYFILE_FICLONE)
}
