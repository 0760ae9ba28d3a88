import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../util/failure.ts'
import { isRecord } from '../util/json.ts'
import type { Result } from '../util/result.ts'
import { err, ok } from '../util/result.ts'
import { publishFile } from './publish.ts'
import { readJson, readText } from './read.ts'
import type { SplitName } from './tokens.ts'
import { splitNames } from './tokens.ts'

/**
 * What a document of a corpus is: a `line` (blank ones are none, the line's end does not belong to it), an `article`
 * of WikiText (from one ` = Title = ` to the next, verbatim: joined they are the file), or the `whole` file.
 */
export const documentKinds = ['line', 'article', 'whole'] as const
export type DocumentKind = (typeof documentKinds)[number]

export interface Corpus {
  readonly documents: DocumentKind
  readonly splits: Readonly<Record<SplitName, string>>
}

/** Writes a corpus folder: `train.txt`, `validation.txt`, `test.txt`, and `corpus.json` last. Throws `Failure`. */
export function writeCorpus(folder: string, { documents, splits }: Corpus): void {
  mkdirSync(folder, { recursive: true })
  for (const name of splitNames) {
    const text = splits[name]
    publishFile(join(folder, `${name}.txt`), (append) => append(new TextEncoder().encode(text)))
  }
  const meta = `${JSON.stringify({ format: 'corpus', version: 1, documents }, null, 2)}\n`
  publishFile(join(folder, 'corpus.json'), (append) => append(Buffer.from(meta)))
}

/** Failures: FILE_MISSING, FILE_NOT_JSON, FILE_NOT_UTF8, CORPUS_INVALID, CORPUS_EMPTY. */
export function readCorpus(folder: string): Result<Corpus, Failure> {
  try {
    return ok(read(folder))
  } catch (error) {
    if (error instanceof Failure) return err(error)
    throw error
  }
}

/** The documents of a text. None is empty or blank but `whole` of a blank text, which is none. */
export function splitDocuments(text: string, kind: DocumentKind): string[] {
  switch (kind) {
    case 'line':
      return text.split(/\r?\n/).filter((line) => line.trim() !== '')
    case 'article':
      return text.trim() === '' ? [] : splitArticles(text)
    case 'whole':
      return text.trim() === '' ? [] : [text]
  }
}

function read(folder: string): Corpus {
  const file = join(folder, 'corpus.json')
  const meta = readJson(file)
  const documents = isRecord(meta) && meta['format'] === 'corpus' ? meta['documents'] : undefined
  const kind = documentKinds.find((one) => one === documents)
  if (!kind) {
    const message = `"${file}" does not describe a corpus: "documents" must be one of ${documentKinds.join(', ')}.`
    throw new Failure('CORPUS_INVALID', message)
  }
  const load = (name: SplitName): string => readSplitText(join(folder, `${name}.txt`), name)
  return { documents: kind, splits: { train: load('train'), validation: load('validation'), test: load('test') } }
}

function readSplitText(file: string, name: SplitName): string {
  const text = readText(file)
  if (text.trim() !== '') return text
  const advice = `Give a corpus with text in each of ${splitNames.join(', ')}.`
  throw new Failure('CORPUS_EMPTY', `The ${name} split of the corpus is empty: "${file}" holds no text. ${advice}`)
}

/**
 * A title has one equals sign on each side, a section two or more; where a text has blank lines, one stands before it,
 * which tells it from a line of an equation. The boundary is just before the title's leading space, where GPT-2's split
 * of the text has one too: encoding article by article is encoding the whole.
 */
function splitArticles(text: string): string[] {
  const title = /^ = .*(?<! =) = ?\r?$/gm
  const before = /(?:^|\n) ?\r?\n$/
  const spaced = /^ ?\r?\n/m.test(text)
  const starts = [...text.matchAll(title)]
    .map(({ index }) => index)
    .filter((at) => !spaced || at === 0 || before.test(text.slice(Math.max(0, at - 4), at)))
  // blank lines before the first title belong to its article
  const first = text.search(/\S/)
  const bounds = [0, ...starts.filter((at) => at > first), text.length]
  return bounds.slice(1).map((end, index) => text.slice(bounds[index], end))
}
