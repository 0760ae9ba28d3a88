import { folded, refusedByWindows } from './file-names.ts'
import { LOG, MANIFEST } from './manifest.ts'
import { isName } from './names.ts'
import { placeName } from './source.ts'
import type { Problems } from './problems.ts'
import type { Spot } from './source.ts'
import { isTryLog } from './try-logs.ts'
import { entriesOf, itemsOf, textOf } from './tree.ts'
import type { Tree } from './tree.ts'

/** Files that the pipeline itself keeps in a result's folder. */
const RESERVED: ReadonlySet<string> = new Set([MANIFEST, LOG])

export interface Output {
  readonly file: string
  readonly at: Spot
}

/** Reads `out: [model, page: report.html]`: each output has a name and a place of its own in the result's folder. */
export function readOutputs(out: Tree | undefined, problems: Problems): ReadonlyMap<string, Output> {
  const outputs = new Map<string, Output>()
  for (const item of itemsOf(out)) {
    for (const [name, file, at] of namesIn(item)) {
      if (!isName(name, 'output', at, problems) || !isInside(file, at, problems)) continue
      const other = outputs.get(name) ?? overlapping(outputs, file)
      if (other) collision(name, at, other, problems)
      else outputs.set(name, { file, at })
    }
  }
  return outputs
}

function namesIn(item: Tree): (readonly [string, string, Spot])[] {
  const name = textOf(item)
  if (name !== undefined) return [[name, name, item.at]]
  return [...entriesOf(item)].flatMap(([key, { keyAt, value }]) => {
    const file = textOf(value)
    return file === undefined ? [] : [[key, file, keyAt] as const]
  })
}

function isInside(file: string, at: Spot, problems: Problems): boolean {
  const parts = file.split('/')
  const why = whyNotInside(parts)
  if (why === undefined) return true
  problems.add('OUTPUT_INVALID', at, `The output file "${file}" ${why}. Write a name such as "model" or "report.html".`)
  return false
}

function whyNotInside(parts: readonly string[]): string | undefined {
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    return 'is not a plain path inside the folder of the result'
  const refused = parts.flatMap((part) => refusedByWindows(part) ?? [])[0]
  if (refused !== undefined) return `is none everywhere: ${refused}`
  return RESERVED.has(folded(parts[0]!)) || isTryLog(folded(parts[0]!)) ? 'is kept by the pipeline itself' : undefined
}

/** The output that is the same file, or lies around or inside it; case does not tell files apart everywhere. */
function overlapping(outputs: ReadonlyMap<string, Output>, file: string): Output | undefined {
  const path = `${folded(file)}/`
  return [...outputs.values()].find((other) => {
    const otherPath = `${folded(other.file)}/`
    return path.startsWith(otherPath) || otherPath.startsWith(path)
  })
}

function collision(name: string, at: Spot, other: Output, problems: Problems): void {
  const advice = 'Give each output a file or folder of its own, outside the others.'
  problems.add(
    'OUTPUT_COLLISION',
    at,
    `The output "${name}" overlaps "${other.file}" of ${placeName(other.at)}. ${advice}`,
  )
}
