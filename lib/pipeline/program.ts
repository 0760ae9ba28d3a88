import { nearest } from '../util/nearest.ts'
import { isWhole } from '../util/whole.ts'
import type { ArgumentPart, Program } from './pipeline.ts'
import { didYouMean, someOf } from './problems.ts'
import type { Problems } from './problems.ts'
import { spotOf } from './references.ts'
import type { Reference } from './template.ts'
import { child, isRefused, itemsOf, toJson } from './tree.ts'
import type { ScalarTree, Tree } from './tree.ts'

/** The names that may stand in the arguments of one stage's program. */
export interface Names {
  readonly in: ReadonlyMap<string, unknown>
  readonly out: ReadonlyMap<string, unknown>
  /** The values of `with`, of the cell where there is a matrix. */
  readonly with: Tree | undefined
}

/** The arguments of `cmd:`; each item stays one argument, whatever its values hold. Undefined after a problem. */
export function readCommand(cmd: Tree, names: Names, problems: Problems): Program | undefined {
  const argv = itemsOf(cmd).map((item) => readArgument(item, names, problems))
  return isWhole(argv) ? { kind: 'command', argv } : undefined
}

function readArgument(item: Tree, names: Names, problems: Problems): readonly ArgumentPart[] | undefined {
  if (item.kind !== 'scalar') return undefined
  const parts = (item.pending ?? [String(item.value)]).map((part) =>
    typeof part === 'string' ? ({ kind: 'text', text: part } as const) : readPart(part, item, names, problems),
  )
  return isWhole(parts) ? parts : undefined
}

function readPart(reference: Reference, from: ScalarTree, names: Names, problems: Problems): ArgumentPart | undefined {
  const [space, ...path] = reference.path
  if (space === 'with') return readWith(reference, path, from, names.with, problems)
  const known = space === 'in' ? names.in : names.out
  const [name = ''] = path
  if (path.length === 1 && known.has(name)) return { kind: space === 'in' ? 'in' : 'out', name }
  unknown(reference, from, name, [...known.keys()], problems)
  return undefined
}

function readWith(
  reference: Reference,
  path: readonly string[],
  from: ScalarTree,
  parameters: Tree | undefined,
  problems: Problems,
): ArgumentPart | undefined {
  let tree = parameters
  for (const name of path) {
    const next = child(tree, name)
    if (!next) {
      unknown(reference, from, name, tree?.kind === 'map' ? [...tree.entries.keys()] : [], problems)
      return undefined
    }
    if (isRefused(next)) return undefined
    tree = next
  }
  return { kind: 'with', value: tree ? toJson(tree) : null }
}

function unknown(
  reference: Reference,
  from: ScalarTree,
  name: string,
  known: readonly string[],
  problems: Problems,
): void {
  const space = `\`${reference.path[0] ?? ''}:\``
  const near = nearest(name, known)
  const there = known.length === 0 ? ` ${space} of this stage is empty.` : ` ${space} has: ${someOf(known)}.`
  const advice = near === undefined ? there : didYouMean(near)
  problems.add('REFERENCE_INVALID', spotOf(reference, from), `"${reference.text}" names nothing in ${space}.${advice}`)
}
