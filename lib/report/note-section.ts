import { MINIMUM_DOCUMENTS } from './bootstrap.ts'
import type { Comparison, Models } from './compare.ts'
import { samePerplexityTask } from './compare.ts'
import { grouped, percentExact } from './format.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'
import type { ItemScores, Perplexity, Scores } from './scores.ts'

/** How to read the page, and what it does not show: said by rule, the author's own notes first. */
export const noteSection = (models: Models, comparisons: readonly Comparison[], own: readonly string[]): Html => {
  const scores = Object.values(models)
  const notes = [
    ...own,
    ...modelNotes(models),
    ...perplexityNotes(scores),
    ...itemNotes(scores),
    ...lastWordNotes(scores),
    ...testNotes(comparisons),
  ]
  return html`<section aria-labelledby="reading">
    <h2 id="reading">How to read this</h2>
    <div class="notes">${notes.map((note) => html`<p>${note}</p>`)}</div>
  </section>`
}

const modelNotes = (models: Models): readonly string[] => {
  const notes: Readonly<Record<string, string>> = {
    baseline: 'The untouched student is the model both trainings began from.',
    control:
      'The control is the same student on the same text, trained by cross-entropy alone: what it gained came from the text, not from a teacher.',
  }
  return Object.keys(notes).flatMap((name) => (Object.hasOwn(models, name) ? [notes[name]!] : []))
}

const perplexityNotes = (scores: readonly Scores[]): readonly string[] => {
  const first = scores[0]?.perplexity
  if (first === undefined) return []
  if (!scores.every((each) => samePerplexityTask(each.perplexity, first))) {
    return [
      'The perplexities were taken on different tokens or in different windows: they must not be compared, and are not.',
    ]
  }
  return [
    `Perplexity is exp of the mean negative log-likelihood over ${grouped(first.tokens)} tokens of the ${first.split} split, context ${first.context}, stride ${first.stride}; a lower one means that the text came as less of a surprise. Its interval is by document, where there are at least ${MINIMUM_DOCUMENTS}.${perWordNote(first)}`,
  ]
}

const perWordNote = ({ words }: Perplexity): string =>
  words === undefined
    ? ''
    : ` Per word it is exp of the same sum over the text\u2019s ${grouped(words)} words, as white space separates them: models of other tokenizers can be compared by it.`

const itemNotes = (scores: readonly Scores[]): readonly string[] => {
  const items = scores.find((each) => each.items !== null)?.items
  if (items === undefined || items === null) return []
  return [
    `The questions: ${grouped(items.count)} items of one right ending among ${endings(items)}; guessing reaches ${percentExact(chance(items))}. ${items.convention} \u201cacc\u201d takes the ending of the highest summed log-probability, \u201cacc_norm\u201d of the highest normalised one. ${reading}`,
  ]
}

const lastWordNotes = (scores: readonly Scores[]): readonly string[] => {
  const lastWords = scores.find((each) => each.lastWords !== undefined)?.lastWords
  if (lastWords === undefined) return []
  return [
    `The questions: the last words of ${grouped(lastWords.count)} texts, of which \u201cacc\u201d is the share that is right. ${lastWords.convention} ${reading}`,
  ]
}

const reading = 'After ± stands the standard error (n \u2212 1), below it Wilson\u2019s 95\u00a0% interval.'

/** Items of one set may differ in their number of endings: `4`, `3 to 5`. */
const endings = ({ results }: ItemScores): string => {
  const counts = results.map(({ logProbs }) => logProbs.length)
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  return least === most ? String(least) : `${least} to ${most}`
}

/** What guessing reaches: each item's own number of endings counts. */
export const chance = ({ results }: ItemScores): number =>
  results.reduce((total, { logProbs }) => total + 1 / logProbs.length, 0) / results.length

const testNotes = (comparisons: readonly Comparison[]): readonly string[] => {
  const tested = comparisons.filter((comparison) => comparison.p !== null)
  if (tested.length === 0) return []
  return [
    'Answers are compared item by item with McNemar\u2019s exact test, their difference with Newcombe\u2019s paired interval; perplexities by resampling the same documents for both models (4,999 draws). A side is named only where the test rejects at 0.05 and the interval leaves out zero; otherwise the page says \u201cno difference shown\u201d, which is not \u201cequal\u201d.',
    `Each of the ${tested.length} tests stands by itself: of twenty without any true difference one is expected to name a side. The first pair is the question that was asked.`,
    'Each model is one training run from one seed. Intervals and tests speak of these very models on other texts and questions of the kind, not of what another seed would have given.',
  ]
}
