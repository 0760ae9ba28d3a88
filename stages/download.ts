import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { documentKinds, writeCorpus } from '../lib/data/corpus.ts'
import { readText } from '../lib/data/read.ts'
import { copyModel, copyTokenizer, localSource } from '../lib/data/sources.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import { Failure } from '../lib/util/failure.ts'

/** Brings every source under the store: what later stages read no longer depends on where it came from. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      train: { type: 'string', default: 'train.txt', description: 'file of the training split in the corpus folder' },
      validation: { type: 'string', default: 'validation.txt', description: 'file of the validation split' },
      test: { type: 'string', default: 'test.txt', description: 'file of the test split' },
      documents: { enum: documentKinds, default: 'line', description: 'what a document of the corpus is' },
      tasks: { type: 'string', default: 'items.jsonl', description: 'file of the four-ending items' },
    },
  },
  in: ['corpus', 'tasks', 'teacher?', 'student?', 'tokenizer?'],
  out: ['corpus', 'tasks', 'teacher?', 'student?', 'tokenizer?'],
  run({ with: files, in: from, out: to, log }) {
    const corpus = local(from.corpus)
    const read = (name: string): string => readText(join(corpus, name))
    const splits = { train: read(files.train), validation: read(files.validation), test: read(files.test) }
    writeCorpus(to.corpus, { documents: files.documents, splits })
    copyFileSync(local(join(local(from.tasks), files.tasks)), to.tasks)
    for (const name of ['teacher', 'student', 'tokenizer'] as const) {
      if ((from[name] === undefined) !== (to[name] === undefined)) throw unpaired(name, from[name] !== undefined)
    }
    if (from.teacher !== undefined && to.teacher !== undefined) copyModel(local(from.teacher), to.teacher)
    if (from.student !== undefined && to.student !== undefined) copyModel(local(from.student), to.student)
    if (from.tokenizer !== undefined && to.tokenizer !== undefined) copyTokenizer(local(from.tokenizer), to.tokenizer)
    log('all sources are in place')
    return Promise.resolve()
  },
})

function local(source: string): string {
  const found = localSource(source)
  if (!found.ok) throw found.error
  return found.value
}

function unpaired(name: string, isInput: boolean): Failure {
  const [has, lacks] = isInput ? ['in', 'out'] : ['out', 'in']
  const message = `"${name}" stands in \`${has}:\` of the download stage but not in \`${lacks}:\`. Name it in both or in neither.`
  return new Failure('SOURCE_UNPAIRED', message)
}
