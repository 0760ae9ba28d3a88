import { abridged, show } from '../../pipeline/changes.ts'
import { differences } from '../../pipeline/difference.ts'
import type { Difference, Section } from '../../pipeline/difference.ts'
import { readExperiment } from '../../pipeline/experiment.ts'
import type { ExperimentRecord, ListedExperiment } from '../../pipeline/experiment.ts'
import { short, table } from '../format.ts'
import { exitCodeOf, write, writeFailures, writeJson } from '../output.ts'
import { style } from '../style.ts'
import { widthOf, wrap } from '../wrap.ts'

/** `pipeline diff A B`: what two experiments do not share. */
export function diff(first: string, second: string, options: { json?: boolean }): number {
  const root = process.cwd()
  const [a, b] = [readExperiment(root, first), readExperiment(root, second)]
  if (!a.ok || !b.ok) {
    const failures = [a, b].flatMap((found) => (found.ok ? [] : [found.error]))
    writeFailures(failures, options.json === true)
    return exitCodeOf(failures)
  }
  const [recordA, recordB] = [a.value.record, b.value.record]
  const found = differences(root, recordA, recordB)
  if (options.json === true) writeJson({ type: 'difference', a: recordA.hash, b: recordB.hash, ...found })
  else write(words(a.value, b.value, found))
  return 0
}

function words(a: ListedExperiment, b: ListedExperiment, found: Record<Section, Difference[]>): string {
  const sections = Object.entries(found).filter(([, rows]) => rows.length > 0)
  const tables = sections.map(([section, rows]) => `${style('bold', section)}\n${lines(rows).join('\n')}`)
  const heads = [a, b].map(({ record: { hash, at }, tags }) =>
    [hash.slice(0, 16), at.slice(0, 16).replace('T', ' '), ...tags].join('  '),
  )
  return [heads.join('\n'), ...(tables.length > 0 ? tables : [none(a.record, b.record)])].join('\n\n')
}

const none = (a: ExperimentRecord, b: ExperimentRecord): string =>
  a.hash === b.hash ? 'Nothing differs.' : 'Nothing that their records hold differs; a declared variable does.'

/** Values that are short in a table, those that are long below their name. */
function lines(differences: readonly Difference[]): string[] {
  const rows = differences.map(row)
  const isShort = ([, from, , to]: readonly string[]): boolean => Math.max(from!.length, to!.length) <= SHORT
  const short = table(rows.filter(isShort)).split('\n')
  return rows.flatMap((one) => {
    if (isShort(one)) return [short.shift()!]
    const [name, from, arrow, to] = one
    return [name!, ...[from!, `${arrow!} ${to!}`].flatMap((text) => wrap(`  ${text}`, widthOf(process.stdout), '  '))]
  })
}

/** Characters of a value in a table. */
const SHORT = 24

function row({ name, a, b }: Difference): string[] {
  const [textA, textB] = [text(a), text(b)]
  // what looks alike when shortened is shown in full
  const { from, to } = textA === textB ? abridged(show(a), show(b)) : abridged(textA, textB)
  return [name, from, '→', to]
}

/** Numbers, digests and the versions of packages, which stand before their digests, are read and not computed with. */
function text(value: Difference['a']): string {
  if (typeof value === 'number') return short(value)
  if (typeof value !== 'string') return show(value)
  if (/^[0-9a-f]{40,64}$/.test(value)) return value.slice(0, 12)
  return show(value.replace(/ sha\d+-\S+$/, ''))
}
