import { cell, orderCells } from './cells.ts'
import type { Models } from './compare.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'

/** Prompts continued by each model, side by side. */
export const sampleSection = (models: Models): Html | undefined => {
  const names = orderCells(Object.keys(models))
  const prompts = [...new Set(names.flatMap((name) => models[name]!.samples.map((sample) => sample.prompt)))]
  if (prompts.length === 0) return undefined
  return html`<section aria-labelledby="samples">
    <h2 id="samples">Continued by each model</h2>
    ${prompts.map(
      (prompt) =>
        html`<article class="prompt">
          <h3>${prompt.trimEnd()} …</h3>
          <div class="answers">${names.map((name) => answer(name, prompt, models))}</div>
        </article>`,
    )}
  </section>`
}

const answer = (name: string, prompt: string, models: Models): Html => {
  const { label, colour } = cell(name)
  const found = models[name]!.samples.find((sample) => sample.prompt === prompt)
  return html`<div>
    <h4 style="--c: ${colour}">${label}</h4>
    <p>${found?.continuation.trim() ?? '–'}</p>
  </div>`
}
