import { chmodSync, existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Attempt } from './attacks.ts'
import { cachedCopies, deleteOutputs, outputFile } from './damage.ts'
import { judgeBoth, outcomeOf, worst } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { FIRST, OTHER, setInput } from './project.ts'
import { run } from './tools.ts'
import type { Tool } from './tools.ts'

const NAMES = /EACCES|EPERM|permi(ssion|tted)|may not be|denied/i

/** Permissions bind root too, once it has put these powers down. */
const wrapper =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search,-fowner', '--'] : []

interface Forbidden {
  readonly name: string
  readonly tries: number
  /** Files and folders that lose permissions. */
  readonly of: (tool: Tool, folder: string, index: number) => readonly string[]
  readonly mode: number
  /** What there is to do meanwhile: the other input, or what was deleted of the first one's outputs. */
  readonly meanwhile: 'runs' | 'restores'
}

export const forbidden: readonly Forbidden[] = [
  {
    name: 'an output that may not be read',
    tries: 3,
    of: (tool, folder, index) => [outputFile(tool, folder, index)],
    mode: 0,
    meanwhile: 'runs',
  },
  {
    name: 'an output folder that may not be written',
    tries: 1,
    of: (tool, folder) => [join(folder, tool.outputs.parts)],
    mode: 0o555,
    meanwhile: 'runs',
  },
  {
    name: 'a cache that may not be written',
    tries: 2,
    of: (tool, folder, index) => (index === 0 ? [join(folder, tool.cache)] : foldersOf(join(folder, tool.cache))),
    mode: 0o555,
    meanwhile: 'runs',
  },
  {
    name: 'a cache that may not be entered',
    tries: 2,
    of: (tool, folder) => [join(folder, tool.cache)],
    mode: 0,
    meanwhile: 'restores',
  },
  {
    name: 'a cached copy that may not be read',
    tries: 3,
    of: cachedCopies,
    mode: 0,
    meanwhile: 'restores',
  },
]

/** Takes the permissions away, runs, gives them back. */
export async function forbid(
  { of, mode, meanwhile }: Forbidden,
  tool: Tool,
  folder: string,
  { index }: Attempt,
): Promise<Outcome> {
  const places = of(tool, folder, index).map((path) => ({ path, before: statSync(path).mode }))
  const input = meanwhile === 'runs' ? OTHER : FIRST
  setInput(folder, input)
  if (meanwhile === 'restores') deleteOutputs(tool, folder)
  for (const { path } of places) chmodSync(path, mode)
  const bound = await run(tool, folder, { wrapper })
  for (const { path, before } of places) if (existsSync(path)) chmodSync(path, before)
  const outcome = outcomeOf(bound, tool, folder, input, NAMES)
  setInput(folder, OTHER)
  return worst(outcome, await judgeBoth(tool, folder))
}

/** With itself. */
const foldersOf = (folder: string): string[] => [
  folder,
  ...readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name)),
]
