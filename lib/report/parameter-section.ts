import type { Json, JsonObject } from '../util/json.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'

/** The parameters by their first name, each below it as a dotted path; those that stand alone come first. */
export const parameterSection = (parameters: JsonObject): Html | undefined => {
  const entries = Object.entries(parameters)
  if (entries.length === 0) return undefined
  const alone = entries.filter(([, value]) => !isObject(value))
  const groups = entries.filter(([, value]) => isObject(value))
  return html`<section aria-labelledby="parameters">
    <h2 id="parameters">Parameters</h2>
    <div class="groups">
      ${alone.length === 0 ? undefined : group(undefined, Object.fromEntries(alone))}
      ${groups.map(([name, value]) => group(name, value))}
    </div>
  </section>`
}

const group = (name: string | undefined, value: Json): Html =>
  html`<div class="group">
    ${name === undefined ? undefined : html`<h3>${name}</h3>`}
    <dl>
      ${leaves(value, '').map(
        ([path, leaf]) =>
          html`<div>
            <dt>${path}</dt>
            <dd>${leaf}</dd>
          </div>`,
      )}
    </dl>
  </div>`

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const leaves = (value: Json, path: string): readonly (readonly [string, string])[] =>
  isObject(value)
    ? Object.entries(value).flatMap(([key, each]) => leaves(each, path === '' ? key : `${path}.${key}`))
    : [[path, shown(value)]]

const shown = (value: Json): string => {
  if (typeof value === 'string') return value
  const flat = Array.isArray(value) && value.every((each: Json) => typeof each !== 'object')
  return flat ? value.join(', ') : JSON.stringify(value)
}
