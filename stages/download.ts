import { writeCorpus } from '../lib/data/corpus.ts'
import type { DocumentKind } from '../lib/data/corpus.ts'
import type { FetchHooks } from '../lib/data/fetch/hooks.ts'
import { readCorpusText, writeItems } from '../lib/data/formats.ts'
import type { RowKind } from '../lib/data/formats.ts'
import { copyModel, copyTokenizer } from '../lib/data/model-files.ts'
import { fetchFile, fetchFolder, pickTokenizer } from '../lib/data/sources.ts'
import { splitNames } from '../lib/data/tokens.ts'
import type { SplitName } from '../lib/data/tokens.ts'
import { fetchModel } from '../lib/model/fetch.ts'
import { itemMeanings } from '../lib/data/task-forms.ts'
import { defineStage } from '../lib/pipeline/stage.ts'
import { choices } from '../lib/util/choices.ts'
import { Failure } from '../lib/util/failure.ts'

/** Brings every source under the store: what later stages read no longer depends on where it came from. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      train: { type: 'string', default: 'train.txt', description: 'file of the training split in the folder `corpus`' },
      validation: { type: 'string', default: 'validation.txt', description: 'file of the validation split in it' },
      test: { type: 'string', default: 'test.txt', description: 'file of the test split in it' },
      documents: {
        ...choices<DocumentKind>({
          line: 'a line; blank ones are none',
          article: 'an article of WikiText: from one ` = Title = ` to the next',
          whole: 'the whole file',
        }),
        default: 'line',
        description: 'what a document of the corpus is',
      },
      rows: {
        ...choices<RowKind>({ text: 'text, by the name "text"', ...itemMeanings }),
        default: 'text',
        description: 'what the rows of a .parquet or .jsonl file hold: text, or items, each of which becomes a line',
      },
      tasks: { type: 'string', default: 'items.jsonl', description: 'file of the items in the folder `tasks`' },
    },
  },
  // a split may have a source of its own, in place of a file of the corpus
  in: ['corpus?', 'train?', 'validation?', 'test?', 'tasks?', 'teacher?', 'student?', 'tokenizer?'],
  out: ['corpus', 'tasks?', 'teacher?', 'student?', 'tokenizer?'],
  async run({ with: files, in: from, out: to, signal, progress, log }) {
    const hooks = {
      signal,
      log,
      onBytes: (done: number, total: number) => progress({ done, total, unit: 'bytes' }),
    }
    const splits: Record<SplitName, string> = { train: '', validation: '', test: '' }
    for (const name of splitNames) {
      const source = from[name] ?? from.corpus
      if (source === undefined) throw splitMissing(name)
      splits[name] = await readCorpusText(await fetchFile(source, files[name], hooks), files.rows)
    }
    writeCorpus(to.corpus, { documents: files.documents, splits })
    const kinds = { tasks: { fetch: fetchNamed(files.tasks), copy: writeItems }, ...folders }
    for (const [name, { fetch, copy }] of Object.entries(kinds)) {
      const [source, target] = [from[name as keyof typeof kinds], to[name as keyof typeof kinds]]
      if ((source === undefined) !== (target === undefined)) throw unpaired(name, source !== undefined)
      if (source !== undefined && target !== undefined) await copy(await fetch(source, hooks), target)
    }
    log('all sources are in place')
  },
})

const folders = {
  teacher: { fetch: fetchModel, copy: copyModel },
  student: { fetch: fetchModel, copy: copyModel },
  tokenizer: { fetch: fetchTokenizer, copy: copyTokenizer },
}

const fetchNamed =
  (file: string) =>
  (source: string, hooks: FetchHooks): Promise<string> =>
    fetchFile(source, file, hooks)

function fetchTokenizer(source: string, hooks: FetchHooks): Promise<string> {
  return fetchFolder(source, pickTokenizer, hooks)
}

function splitMissing(name: SplitName): Failure {
  const message = `The download stage has no source for the ${name} split. Name a folder as \`corpus\`, or a file as \`${name}\`, in \`in:\`.`
  return new Failure('SOURCE_ABSENT', message)
}

function unpaired(name: string, isInput: boolean): Failure {
  const [has, lacks] = isInput ? ['in', 'out'] : ['out', 'in']
  const message = `"${name}" stands in \`${has}:\` of the download stage but not in \`${lacks}:\`. Name it in both or in neither.`
  return new Failure('SOURCE_UNPAIRED', message)
}
