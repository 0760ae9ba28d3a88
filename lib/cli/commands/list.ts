import { listExperiments } from '../../pipeline/experiment.ts'
import type { Json } from '../../util/json.ts'
import { csv } from '../csv.ts'
import { experimentTable } from '../experiment-table.ts'
import { fieldsOf, isMetric, isParameter, rowOf } from '../../pipeline/fields.ts'
import type { Row } from '../../pipeline/fields.ts'
import { write, writeJson, writePart } from '../output.ts'
import { readCondition, readOrder, sortRows } from '../../pipeline/select.ts'

export interface ListArguments {
  readonly sort?: string
  readonly where: readonly string[]
  readonly csv?: boolean
  readonly json?: boolean
}

/** `pipeline list`: what was recorded here, newest first if not said otherwise. Throws Failure WHERE_…, FIELD_…. */
export async function list(options: ListArguments): Promise<number> {
  const all = listExperiments(process.cwd()).map(rowOf)
  const fields = fieldsOf(all)
  // nothing is known of a folder without experiments, so that no name in it is wrong
  const conditions = all.length === 0 ? [] : options.where.map((text) => readCondition(text, fields, all))
  const orders = all.length === 0 || options.sort === undefined ? [] : readOrder(options.sort, fields)
  const found = all.filter(({ values }) => conditions.every(({ field, holds }) => holds(values.get(field) ?? [])))
  const rows = sortRows(found, orders)
  if (options.json === true) writeJson({ experiments: rows.map(json) })
  else if (options.csv === true) await writePart(csv(csvRows(rows)))
  else if (all.length === 0) write('No experiment is recorded here yet. `pipeline run` makes one.')
  else if (rows.length === 0) write(`None of ${all.length} experiments is so.`)
  else
    write(
      experimentTable(
        rows,
        [...orders, ...conditions].map(({ field }) => field),
      ),
    )
  return 0
}

function json({ experiment: { record, tags, pinned, page } }: Row) {
  const { hash, at, params, metrics } = record
  return { hash, at, tags, pinned, page, params, metrics }
}

/** Every parameter and metric by its full name, which --sort and --where take too. */
function csvRows(rows: readonly Row[]): (readonly Json[])[] {
  const fields = fieldsOf(rows)
  const names = [...fields.filter(isParameter), ...fields.filter(isMetric)]
  return [
    ['hash', 'at', 'tags', 'pinned', ...names],
    ...rows.map(({ experiment: { record, tags, pinned }, values }) => [
      record.hash,
      record.at,
      tags.join(' '),
      pinned,
      ...names.map((name) => values.get(name)?.[0] ?? null),
    ]),
  ]
}
