import { isMetric, isParameter, shortName } from '../pipeline/fields.ts'
import type { Row } from '../pipeline/fields.ts'
import { readCondition, readOrder, sortRows } from '../pipeline/select.ts'
import type { Field, TableAnswer } from './api.ts'
import type { Kept, Records } from './records.ts'

export interface TableQuestion {
  /** As `list --where` takes them. */
  readonly where: readonly string[]
  /** As `list --sort` takes it; newest first if empty. */
  readonly sort: string
  /** The beginning of a hash, or a part of a tag. */
  readonly text: string
  /** These alone, where any are named. */
  readonly hashes: readonly string[]
  /** Full names of fields; those that are not known are left out. Undefined: what is worth seeing. */
  readonly columns: readonly string[] | undefined
}

/** What `pipeline list` would print, by columns. Throws Failure WHERE_…, FIELD_…. */
export function tableOf(records: Records, { where, sort, text, hashes, columns }: TableQuestion): TableAnswer {
  const { rows: all, fields } = records
  const conditions = all.length === 0 ? [] : where.map((one) => readCondition(one, fields, all))
  const orders = all.length === 0 || sort === '' ? [] : readOrder(sort, fields)
  const found = all.filter(
    (row) =>
      isNamed(row, text) &&
      (hashes.length === 0 || hashes.includes(row.experiment.record.hash)) &&
      conditions.every(({ field, holds }) => holds(row.values.get(field) ?? [])),
  )
  const rows = sortRows(found, orders)
  const known = new Set(fields)
  const shown = (columns ?? records.defaults).filter((name) => known.has(name))
  return {
    total: all.length,
    fields: fieldsFor(fields),
    columns: shown,
    hashes: rows.map(({ experiment }) => experiment.record.hash),
    at: rows.map(({ experiment }) => experiment.record.at),
    tags: rows.map(({ experiment }) => experiment.tags),
    pinned: rows.map(({ experiment }) => experiment.pinned),
    values: shown.map((name) => rows.map(({ values }) => values.get(name)?.[0] ?? null)),
  }
}

const isNamed = ({ experiment: { record, tags } }: Row<Kept>, text: string): boolean =>
  text === '' || record.hash.startsWith(text.toLowerCase()) || tags.some((tag) => tag.includes(text))

const fieldsFor = (fields: readonly string[]): Field[] =>
  fields.map((name) => ({
    name,
    label: shortName(name, fields),
    kind: isParameter(name) ? 'parameter' : isMetric(name) ? 'metric' : 'other',
  }))
