import type { Json, JsonObject } from '../util/json.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'

/** The parameters by their first name, each below it as a dotted path. */
export const parameterSection = (parameters: JsonObject): Html | undefined => {
  const groups = Object.entries(parameters)
  if (groups.length === 0) return undefined
  return html`<section aria-labelledby="parameters">
    <h2 id="parameters">Parameters</h2>
    <div class="groups">${groups.map(([name, value]) => group(name, value))}</div>
  </section>`
}

const group = (name: string, value: Json): Html => {
  const lines = leaves(value, '')
  return html`<div class="group">
    <h3>${name}</h3>
    <dl>
      ${lines.map(
        ([path, leaf]) =>
          html`<div>
            <dt>${path}</dt>
            <dd>${leaf}</dd>
          </div>`,
      )}
    </dl>
  </div>`
}

const leaves = (value: Json, path: string): readonly (readonly [string, string])[] => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, shown(value)]]
  const below = Object.entries(value as JsonObject)
  return below.flatMap(([key, each]) => leaves(each, path === '' ? key : `${path}.${key}`))
}

const shown = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))
