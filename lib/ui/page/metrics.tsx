import { flatten, isObject } from '../../util/flatten.ts'
import type { JsonObject } from '../api.ts'
import { shown } from './format.ts'

/** Groups of numbers as one table, as `pipeline show` prints them; single values below it. */
export function Metrics({ metrics }: { readonly metrics: JsonObject }) {
  const groups = Object.entries(metrics).filter(
    (entry): entry is [string, JsonObject] =>
      isObject(entry[1]) &&
      Object.values(entry[1]).length > 0 &&
      Object.values(entry[1]).every((value) => typeof value === 'number'),
  )
  const columns = [...new Set(groups.flatMap(([, group]) => Object.keys(group)))]
  const single = Object.entries(metrics).filter(([, value]) => typeof value !== 'object')
  if (groups.length + single.length === 0) return <p class="quiet">No metrics are recorded.</p>
  return (
    <div class="wide" tabIndex={0} role="region" aria-label="Metrics, can be scrolled">
      {groups.length === 0 ? null : (
        <table class="plain">
          <thead>
            <tr>
              <td />
              {columns.map((column) => (
                <th key={column} scope="col" class="number">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {groups.map(([name, group]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {columns.map((column) => (
                  <td key={column} class="number">
                    {shown(group[column])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {single.length === 0 ? null : <Facts facts={single.map(([name, value]) => [name, shown(value)])} />}
    </div>
  )
}

export function Facts({ facts }: { readonly facts: readonly (readonly [string, string])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

export const factsOf = (tree: JsonObject): (readonly [string, string])[] =>
  flatten(tree).map(([name, value]) => [name, shown(value)] as const)
