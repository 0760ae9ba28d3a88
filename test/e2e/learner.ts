import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { linkPackages } from '../../bench/copy.ts'
import type { GptConfig } from '../../lib/model/config.ts'
import { initialise, saveModel } from '../../lib/model/weights.ts'
import { textOf, writeWords } from '../model/words.ts'
import type { Place } from './command.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const WORDS = 12

/** A small model's shape. */
export const config: GptConfig = {
  ...{ architecture: 'gpt2', vocabSize: WORDS + 1, context: 16, width: 16, layers: 2, heads: 2, inner: 32 },
  attention: ['global', 'global'],
  window: 16,
  epsilon: 1e-5,
  tied: true,
}

/** The learner's own stages, a corpus of twelve words, and a tiny teacher and student who know them. */
export async function writeLearner(place: Place): Promise<void> {
  for (const part of ['lib', 'stages', 'package.json', 'package-lock.json']) {
    cpSync(join(ROOT, part), join(place.root, part), { recursive: true })
  }
  linkPackages(join(ROOT, 'node_modules'), join(place.root, 'node_modules'))
  for (const split of ['train', 'validation', 'test']) place.write(`corpus/${split}.txt`, text())
  place.write('corpus/items.jsonl', '')
  place.write('pipeline.yaml', PIPELINE)
  await writeModel(place, 'teacher', { ...config, architecture: 'gpt_neo', attention: ['global', 'local'], window: 8 })
  await writeModel(place, 'student', config)
}

/** A model and its tokenizer of `words` words. */
export async function writeModel(place: Place, folder: string, shape = config, words = WORDS): Promise<void> {
  const model = { ...shape, vocabSize: words + 1 }
  saveModel(join(place.root, folder), { config: model, weights: initialise(model, 1) }, { eos: words })
  await writeWords(join(place.root, folder), words)
}

const text = (): string =>
  Array.from({ length: 60 }, (_, n) => textOf(Array.from({ length: 9 }, (_, k) => (5 * k + n * n) % WORDS))).join('\n')

const PIPELINE = `version: 1
params: { context: 16, rate: 0.001, warmup: 0, steps: 8 }
stages:
  download:
    run: stages/download.ts
    in: { corpus: corpus, tasks: corpus, teacher: teacher, student: student }
    out: [corpus, tasks, teacher, student]
  tokenize:
    run: stages/tokenize.ts
    in: { corpus: download.corpus, tokenizer: download.student }
    out: [tokens]
  teacher-logits:
    run: stages/teacher-logits.ts
    in: { teacher: download.teacher, tokens: tokenize.tokens }
    with: { context: '\${context}' }
    out: [targets]
  distill:
    run: stages/distill.ts
    in: { student: download.student, tokens: tokenize.tokens, targets: teacher-logits.targets }
    with: { context: '\${context}', rate: '\${rate}', warmup: '\${warmup}', steps: '\${steps}' }
    out: [student, curves]
`
