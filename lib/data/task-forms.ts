import { prepareChoices, prepareCopa, prepareLambada, preparePiqa, prepareWinogrande } from './task-originals.ts'
import { contextsLine, hellaswagLine, lastWordLine, questionLine } from './task-lines.ts'
import type { ContextsLine, HellaswagLine, Json, QuestionLine } from './task-lines.ts'

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

interface Form {
  /** Of the data set. */
  readonly title: string
  /** What a line has, for people. */
  readonly keys: string
  /** The question of a line, or what is wrong with the line. */
  readonly read: (line: Json, convention: Convention) => Question | string
}

const asked = 'query, choices, gold, or '

/**
 * How a line becomes a question. Plain: verbatim. Harness: as the data set's task of lm-evaluation-harness 0.4.13
 * (`lm_eval/tasks`: hellaswag, openbookqa, arc, piqa, super_glue/copa, winogrande) words it.
 */
export const forms: Record<ItemFormat, Form> = {
  hellaswag: form('HellaSwag', 'ctx, endings, label', hellaswagLine, {
    plain: hellaswagPlain,
    harness: hellaswagHarness,
  }),
  openbookqa: form('OpenBookQA', `${asked}question_stem, choices, answerKey`, original(prepareChoices, questionLine), {
    plain: verbatim,
    harness: verbatim,
  }),
  arc: form('ARC', `${asked}question, choices, answerKey`, original(prepareChoices, questionLine), {
    plain: verbatim,
    harness: asQuestion,
  }),
  piqa: form('PIQA', `${asked}goal, sol1, sol2, label`, original(preparePiqa, questionLine), {
    plain: verbatim,
    harness: asQuestion,
  }),
  copa: form('COPA', `${asked}premise, question, choice1, choice2, label`, original(prepareCopa, questionLine), {
    plain: verbatim,
    harness: spaced,
  }),
  winogrande: form(
    'WinoGrande',
    'context_options, continuation, gold, or sentence, option1, option2, answer',
    original(prepareWinogrande, contextsLine),
    { plain: partial, harness: partial },
  ),
}

/** LAMBADA's text and the word that ends it, in both conventions the same; or what is wrong with the line. */
export function lastWord(line: Json): Option | string {
  const found = original(prepareLambada, lastWordLine)(line)
  return typeof found === 'string' ? found : { context: found.context, ending: found.continuation }
}

/** Reads a line that may have its authors' form. */
function original<L>(prepare: (line: Json) => Json | string, parse: (line: Json) => L | string) {
  return (line: Json): L | string => {
    const prepared = prepare(line)
    return typeof prepared === 'string' ? prepared : parse(prepared)
  }
}

type Wording<L> = (line: L) => Question | string

function form<L extends object>(
  title: string,
  keys: string,
  parse: (line: Json) => L | string,
  wordings: Record<Convention, Wording<L>>,
): Form {
  const read = (json: Json, convention: Convention): Question | string => {
    const line = parse(json)
    return typeof line === 'string' ? line : wordings[convention](line)
  }
  return { title, keys, read }
}

function hellaswagPlain({ ctx, endings, label, activity }: HellaswagLine): Question {
  return { ...(activity === undefined ? {} : { activity }), options: after(ctx, endings), label }
}

/** A file that keeps the context's two parts has the second one capitalised, as the harness does. */
function hellaswagHarness({ ctx, parts, endings, label, activity }: HellaswagLine): Question | string {
  if (activity === undefined) return '"activity_label" must be a text: the harness writes it before the context'
  const context = clean(`${activity}: ${parts ? `${parts[0]} ${capitalize(parts[1])}` : ctx}`)
  return { activity, options: after(context, endings.map(clean)), label }
}

function verbatim({ query, choices, gold }: QuestionLine): Question {
  return { options: after(query, choices), label: gold }
}

function asQuestion({ query, choices, gold }: QuestionLine): Question {
  const question = query.replace(/^Question: /, '').replace(/\n$/, '')
  return { options: after(`Question: ${question}\nAnswer:`, choices), label: gold }
}

/** The harness's COPA has a space of its own before each choice, so that there are two. */
function spaced({ query, choices, gold }: QuestionLine): Question {
  return {
    options: after(
      query,
      choices.map((choice) => ` ${choice}`),
    ),
    label: gold,
  }
}

/**
 * Partial scoring: what follows the blank is given each filling in turn. T. H. Trinh and Q. V. Le (2018), A simple method
 * for commonsense reasoning, arXiv:1806.02847.
 */
function partial({ contexts, continuation, gold }: ContextsLine): Question {
  return { options: contexts.map((context) => ({ context, ending: continuation })), label: gold }
}

const after = (context: string, endings: readonly string[]): Option[] => endings.map((ending) => ({ context, ending }))

/** What WikiHow's mark-up leaves in HellaSwag is taken out. */
const clean = (text: string): string =>
  text
    .trim()
    .replaceAll(' [title]', '. ')
    .replace(/\[[^\n]*?\]/g, '')
    .replaceAll('  ', ' ')

/** Python's: all but the first letter become small. */
function capitalize(text: string): string {
  const [first = '', ...rest] = text
  return first.toUpperCase() + rest.join('').toLowerCase()
}
