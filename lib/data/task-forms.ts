import type { Json } from './task-fields.ts'
import { contextsLine, hellaswagLine, lastWordLine, questionLine } from './task-lines.ts'
import { authorsLine, blankLine, copaLine, hubLine, solutionsLine, textLine } from './task-originals.ts'
import {
  asQuestion,
  asQuestionOnce,
  hellaswagHarness,
  hellaswagPlain,
  lastWord,
  partial,
  spaced,
  verbatim,
} from './task-wordings.ts'

/** What a model is asked: how probable `ending` is after `context`, a space between them. */
export interface Option {
  readonly context: string
  readonly ending: string
}

export interface Question {
  readonly activity?: string
  /** Two or more. */
  readonly options: readonly Option[]
  /** Index of the right one. */
  readonly label: number
}

/** Whose way of wording, encoding and normalising: the plain script's, or lm-evaluation-harness's. */
export const conventions = ['plain', 'harness'] as const
export type Convention = (typeof conventions)[number]

export const itemFormats = ['hellaswag', 'openbookqa', 'arc', 'piqa', 'copa', 'winogrande'] as const
export type ItemFormat = (typeof itemFormats)[number]

/** As a choice of stages: what each data set is. */
export const itemMeanings: Readonly<Record<ItemFormat, string>> = {
  hellaswag: 'HellaSwag: how a text goes on, of four endings (Zellers et al. 2019, arXiv:1905.07830)',
  openbookqa: 'OpenBookQA: elementary science, of four answers (Mihaylov et al. 2018, arXiv:1809.02789)',
  arc: 'ARC: science exams, of mostly four answers (Clark et al. 2018, arXiv:1803.05457)',
  piqa: 'PIQA: how to do something, of two ways (Bisk et al. 2020, arXiv:1911.11641)',
  copa: 'COPA: cause or effect, of two (Roemmele et al. 2011)',
  winogrande: 'WinoGrande: whom a pronoun means, of two (Sakaguchi et al. 2020, arXiv:1907.10641)',
}

export const conventionMeanings: Readonly<Record<Convention, string>> = {
  plain: 'text verbatim; accNorm is by the mean log-probability of a token',
  harness:
    'text, encoding and accNorm as lm-evaluation-harness has them: by the log-probability over the characters of the ending',
}

/** A data set, whose lines may lie in several shapes. */
export interface Form<T> {
  readonly title: string
  /** The keys of a line, in words. */
  readonly expected: string
  /** What a line holds, or what is wrong with it. */
  readonly read: (line: Json, convention: Convention) => T | string
}

const prepared = ['query', 'choices', 'gold']
const authors = ['question', 'answerKey']

/**
 * How a line becomes a question. Plain: verbatim. Harness: as the data set's task of lm-evaluation-harness 0.4.13
 * (`lm_eval/tasks`: hellaswag, openbookqa, arc, piqa, super_glue/copa, winogrande) words it.
 */
export const forms: Record<ItemFormat, Form<Question>> = {
  hellaswag: form(
    'HellaSwag',
    shape(['ctx', 'endings', 'label'], hellaswagLine, { plain: hellaswagPlain, harness: hellaswagHarness }),
  ),
  openbookqa: form(
    'OpenBookQA',
    shape(prepared, questionLine, both(verbatim)),
    shape(['question_stem', 'choices', 'answerKey'], hubLine('question_stem'), both(verbatim)),
    shape(authors, authorsLine, both(verbatim)),
  ),
  arc: form(
    'ARC',
    shape(prepared, questionLine, { plain: verbatim, harness: asQuestionOnce }),
    shape(['question', 'choices', 'answerKey'], hubLine('question'), { plain: verbatim, harness: asQuestion }),
    shape(authors, authorsLine, { plain: verbatim, harness: asQuestion }),
  ),
  piqa: form(
    'PIQA',
    shape(prepared, questionLine, { plain: verbatim, harness: asQuestionOnce }),
    shape(['goal', 'sol1', 'sol2', 'label'], solutionsLine, { plain: verbatim, harness: asQuestion }),
  ),
  copa: form(
    'COPA',
    shape(prepared, questionLine, { plain: verbatim, harness: spaced }),
    shape(['premise', 'choice1', 'choice2', 'question', 'label'], copaLine, { plain: verbatim, harness: spaced }),
  ),
  winogrande: form(
    'WinoGrande',
    shape(['context_options', 'continuation', 'gold'], contextsLine, both(partial)),
    shape(['sentence', 'option1', 'option2', 'answer'], blankLine, both(partial)),
  ),
}

/** LAMBADA's texts, each with the word that ends it, in both conventions the same. */
export const lastWords: Form<Option> = form(
  'LAMBADA',
  shape(['context', 'continuation'], lastWordLine, both(lastWord)),
  shape(['text'], textLine, both(lastWord)),
)

/** One way in which lines lie, told by the keys that a line has. */
interface Shape<T> extends Pick<Form<T>, 'read'> {
  readonly keys: readonly string[]
}

/** A line has the first shape of which it has all keys. */
function form<T>(title: string, ...shapes: Shape<T>[]): Form<T> {
  const read = (line: Json, convention: Convention): T | string => {
    const own = shapes.find(({ keys }) => keys.every((key) => key in line))
    return own ? own.read(line, convention) : `it has ${quoted(Object.keys(line)) || 'no key'}`
  }
  return { title, expected: shapes.map(({ keys }) => quoted(keys)).join('; or '), read }
}

function shape<L extends object, T>(
  keys: readonly string[],
  parse: (line: Json) => L | string,
  wordings: Record<Convention, (line: L) => T | string>,
): Shape<T> {
  const read = (json: Json, convention: Convention): T | string => {
    const line = parse(json)
    return typeof line === 'string' ? line : wordings[convention](line)
  }
  return { keys, read }
}

function both<W>(wording: W): Record<Convention, W> {
  return { plain: wording, harness: wording }
}

function quoted(keys: readonly string[]): string {
  return keys.map((key) => `"${key}"`).join(', ')
}
