import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { documentKinds, writeCorpus } from '../lib/data/corpus.ts'
import { readText } from '../lib/data/read.ts'
import { copyModel, copyTokenizer } from '../lib/data/model-files.ts'
import { fetchSource, pickModel, pickNamed, pickTokenizer } from '../lib/data/sources.ts'
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
      tasks: { type: 'string', default: 'items.jsonl', description: 'file of the items' },
    },
  },
  in: ['corpus', 'tasks', 'teacher?', 'student?', 'tokenizer?'],
  out: ['corpus', 'tasks', 'teacher?', 'student?', 'tokenizer?'],
  async run({ with: files, in: from, out: to, signal, progress, log }) {
    const hooks = {
      signal,
      log,
      onBytes: (done: number, total: number) => progress({ done, total, unit: 'bytes' }),
    }
    const corpus = await fetchSource(from.corpus, pickNamed(files.train, files.validation, files.test), hooks)
    const read = (name: string): string => readText(join(corpus, name))
    const splits = { train: read(files.train), validation: read(files.validation), test: read(files.test) }
    writeCorpus(to.corpus, { documents: files.documents, splits })
    const tasks = await fetchSource(from.tasks, pickNamed(files.tasks), hooks)
    copyFileSync(await fetchSource(join(tasks, files.tasks), pickNamed(), hooks), to.tasks)
    for (const [name, { pick, copy }] of Object.entries(kinds)) {
      const [source, target] = [from[name as Kind], to[name as Kind]]
      if ((source === undefined) !== (target === undefined)) throw unpaired(name, source !== undefined)
      if (source !== undefined && target !== undefined) copy(await fetchSource(source, pick, hooks), target)
    }
    log('all sources are in place')
  },
})

const kinds = {
  teacher: { pick: pickModel, copy: copyModel },
  student: { pick: pickModel, copy: copyModel },
  tokenizer: { pick: pickTokenizer, copy: copyTokenizer },
}
type Kind = keyof typeof kinds

function unpaired(name: string, isInput: boolean): Failure {
  const [has, lacks] = isInput ? ['in', 'out'] : ['out', 'in']
  const message = `"${name}" stands in \`${has}:\` of the download stage but not in \`${lacks}:\`. Name it in both or in neither.`
  return new Failure('SOURCE_UNPAIRED', message)
}
