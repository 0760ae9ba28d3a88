import { join, relative } from 'node:path'
import { verifyStore } from '../../pipeline/verify.ts'
import type { DamagedResult } from '../../pipeline/verify.ts'
import { size } from '../format.ts'
import { write, writeJson } from '../output.ts'
import { storeHere } from '../store.ts'
import { style } from '../style.ts'

/** `pipeline verify`: reads all results again. Exit code 1 where one was damaged. */
export function verify(options: { json?: boolean }): number {
  const { root, store } = storeHere()
  const { results, bytes, damaged } = verifyStore(store)
  if (options.json === true) writeJson({ results, bytes, damaged })
  else {
    for (const result of damaged) write(words(result, relative(root, store.folder(result.stage, result.key)), root))
    write(
      `${results} results, ${size(bytes)} read: ${damaged.length === 0 ? 'all whole' : `${damaged.length} damaged`}`,
    )
  }
  return damaged.length > 0 ? 1 : 0
}

function words({ damage, aside }: DamagedResult, folder: string, root: string): string {
  const lines = damage.map(
    ({ path, expected, found }) =>
      `${style('red', 'damaged')} ${join(folder, path)}\n  expected ${expected ?? 'no file'}\n  found    ${found ?? 'nothing that can be read'}`,
  )
  const where =
    aside === null
      ? '  a run that makes it has it: verify again when that has ended'
      : `  moved to ${relative(root, aside)}; the next run makes it anew`
  return [...lines, where].join('\n')
}
