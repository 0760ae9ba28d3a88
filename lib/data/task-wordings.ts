import type { Option, Question } from './task-forms.ts'
import type { ContextsLine, HellaswagLine, LastWordLine, QuestionLine } from './task-lines.ts'

export function hellaswagPlain({ ctx, endings, label, activity }: HellaswagLine): Question {
  return { ...(activity === undefined ? {} : { activity }), options: after(ctx, endings), label }
}

/** A file that keeps the context's two parts has the second one capitalised, as the harness does. */
export function hellaswagHarness({ ctx, parts, endings, label, activity }: HellaswagLine): Question | string {
  if (activity === undefined) return '"activity_label" must be a text: the harness writes it before the context'
  const context = clean(`${activity}: ${parts ? `${parts[0]} ${capitalize(parts[1])}` : ctx}`)
  return { activity, options: after(context, endings.map(clean)), label }
}

export function verbatim({ query, choices, gold }: QuestionLine): Question {
  return { options: after(query, choices), label: gold }
}

export function asQuestion({ query, choices, gold }: QuestionLine): Question {
  return { options: after(`Question: ${query}\nAnswer:`, choices), label: gold }
}

/** A prepared file may have marked the question already, and ended its line. */
export function asQuestionOnce({ query, ...rest }: QuestionLine): Question {
  return asQuestion({ query: query.replace(/^Question: /, '').replace(/\n$/, ''), ...rest })
}

/** The harness's COPA has a space of its own before each choice, so that there are two. */
export function spaced({ query, choices, gold }: QuestionLine): Question {
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
export function partial({ contexts, continuation, gold }: ContextsLine): Question {
  return { options: contexts.map((context) => ({ context, ending: continuation })), label: gold }
}

export const lastWord = ({ context, continuation }: LastWordLine): Option => ({ context, ending: continuation })

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
