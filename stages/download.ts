import { cp, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { defineStage } from '../lib/pipeline/stage.ts'
import { Failure } from '../lib/util/failure.ts'

const name = (what: string, byDefault: string) =>
  ({ type: 'string', minLength: 1, default: byDefault, description: what }) as const

/** Brings every source under the store: what later stages read no longer depends on where it came from. */
export default defineStage({
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      train: name('file of the training split in the corpus folder', 'train.txt'),
      validation: name('file of the validation split', 'validation.txt'),
      test: name('file of the test split', 'test.txt'),
      tasks: name('file of the four-ending items in the tasks folder', 'items.jsonl'),
    },
  },
  in: ['corpus', 'tasks', 'teacher?', 'student?', 'tokenizer?'],
  out: ['corpus', 'tasks', 'teacher?', 'student?', 'tokenizer?'],
  async run({ with: files, in: from, out: to, log }) {
    await mkdir(to.corpus)
    for (const split of ['train', 'validation', 'test'] as const) {
      await copy(join(from.corpus, files[split]), join(to.corpus, `${split}.txt`), split)
    }
    await copy(join(from.tasks, files.tasks), to.tasks, 'tasks')
    for (const model of ['teacher', 'student', 'tokenizer'] as const) {
      const source = from[model]
      const target = to[model]
      if (source !== undefined && target !== undefined) await copy(source, target, model)
      else if (source ?? target) throw new Failure('SOURCE_UNPAIRED', unpaired(model, source !== undefined))
    }
    log('all sources are in place')
  },
})

async function copy(source: string, target: string, what: string): Promise<void> {
  if (/^(hub|https):/.test(source)) {
    throw new Failure(
      'SOURCE_UNSUPPORTED',
      `"${what}" is "${source}": expected file:PATH or builtin:NAME. Fetch it first, then name its folder by file:PATH.`,
    )
  }
  const found = await stat(source).catch(() => undefined)
  if (!found)
    throw new Failure(
      'SOURCE_MISSING',
      `"${what}": there is no "${source}". Name the file that your folder has under the stage's \`with\`.`,
    )
  await cp(source, target, { recursive: true, dereference: true })
}

function unpaired(name: string, isInput: boolean): string {
  const [has, lacks] = isInput ? ['in', 'out'] : ['out', 'in']
  return `"${name}" stands in \`${has}:\` but not in \`${lacks}:\`. Name it in both or in neither.`
}
