import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { publishFile } from '../data/publish.ts'
import { isFile } from '../data/read.ts'
import { exportTokenizer } from '../data/tokenizer-export.ts'
import { readTokenizerSpec, vocabularySize } from '../data/tokenizer-spec.ts'
import { loadModel, saveModel } from '../model/weights.ts'
import type { Model } from '../model/weights.ts'
import type { ExportedFile, ExportFormat, Provenance } from '../util/export.ts'
import { Failure } from '../util/failure.ts'
import { licenseOf, modelCard } from './card.ts'
import { saveGguf } from './gguf/file.ts'
import { saveOnnx } from './onnx/file.ts'

/** Writes config.json and the weights of a model into a folder. */
type WriteWeights = (folder: string, model: Model, tokenizer: ReturnType<typeof readTokenizerSpec>) => void

const writers: Readonly<Record<ExportFormat, WriteWeights>> = {
  safetensors: (folder, model, { eos }) => saveModel(folder, model, { eos }),
  onnx: (folder, model, { eos }) => saveOnnx(folder, model, eos),
  gguf: saveGguf,
}

/**
 * Writes the model of a folder into another, which is there and empty, with all that a loader of the format asks for.
 * Throws Failure of `loadModel` and `readTokenizerSpec`, VOCABULARY_DIFFERS, GGUF_….
 */
export async function exportModel(
  from: string,
  to: string,
  format: ExportFormat,
  provenance: Provenance,
): Promise<readonly ExportedFile[]> {
  const tokenizer = readTokenizerSpec(from)
  const vocabSize = vocabularySize(tokenizer.spec)
  const model = await loadModel(from)
  if (vocabSize > model.config.vocabSize) {
    const message = `The model in "${from}" has ${model.config.vocabSize} tokens and its tokenizer ${vocabSize}: some text would have no embedding. Give the model its own tokenizer.`
    throw new Failure('VOCABULARY_DIFFERS', message)
  }
  writers[format](to, model, tokenizer)
  exportTokenizer(from, to, model.config.context)
  writeText(join(to, 'generation_config.json'), generationConfig(from, tokenizer.eos))
  const license = provenance.license ?? licenseOf(from)
  const known = license === undefined ? provenance : { ...provenance, license }
  writeText(join(to, 'README.md'), modelCard(model.config, format, known))
  return filesIn(to)
}

function generationConfig(from: string, eos: number): string {
  const file = join(from, 'generation_config.json')
  if (isFile(file)) return readFileSync(file, 'utf8')
  return `${JSON.stringify({ bos_token_id: eos, eos_token_id: eos }, null, 2)}\n`
}

const writeText = (file: string, text: string): void => publishFile(file, (append) => append(Buffer.from(text)))

function filesIn(folder: string): ExportedFile[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ path: relative(folder, file).replaceAll(sep, '/'), bytes: statSync(file).size }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}
