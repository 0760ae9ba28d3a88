import { relative } from 'node:path'
import { collect } from '../../pipeline/collect.ts'
import type { Collected } from '../../pipeline/collect.ts'
import { size, table } from '../format.ts'
import { write, writeJson } from '../output.ts'
import { storeHere } from '../store.ts'

export interface GcArguments {
  readonly bytes?: number
  readonly age?: number
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** `pipeline gc`: removes the results that nobody needs. */
export async function gc({ bytes, age, dryRun = false, json }: GcArguments): Promise<number> {
  const { root, store } = storeHere()
  const collected = await collect(root, store, { bytes, age }, dryRun)
  if (json === true) writeJson({ dryRun, ...collected })
  else write(words(collected, dryRun, root, bytes))
  return 0
}

function words(collected: Collected, dryRun: boolean, root: string, most = Infinity): string {
  const { removed, leftovers, freedBytes, bytes } = collected
  const rows = [
    ...removed.map((result) => [`${result.stage}/${result.key.slice(0, 16)}`, size(result.bytes)]),
    ...leftovers.map((leftover) => [relative(root, leftover.path), size(leftover.bytes)]),
  ]
  const verb = dryRun ? 'would be freed' : 'freed'
  const over = bytes > most ? `; the rest is needed, so that it is more than ${size(most)}` : ''
  const end = `${size(freedBytes)} ${verb}, ${size(bytes)} in the store${over}`
  return rows.length === 0 ? `Nothing to remove: ${end}` : `${table(rows)}\n${end}`
}
