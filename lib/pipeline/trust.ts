import type { Problems } from './problems.ts'
import { parsePublicKey } from './remote/signature.ts'
import type { PublicKey } from './remote/signature.ts'
import { itemsOf, textOf } from './tree.ts'
import type { Tree } from './tree.ts'

/** The keys whose signature is trusted; undefined where `trust:` is not written, so that all is taken. */
export function readTrust(tree: Tree | undefined, problems: Problems): readonly PublicKey[] | undefined {
  if (tree === undefined) return undefined
  return itemsOf(tree).flatMap((item) => {
    const text = textOf(item)
    if (text === undefined) return [] // the schema has said so
    const key = parsePublicKey(text)
    if (key.ok) return [key.value]
    problems.add('VALUE_INVALID', item.at, key.error)
    return []
  })
}
