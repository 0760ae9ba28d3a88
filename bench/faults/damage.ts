import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Attempt } from './attacks.ts'
import { judge, worst } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { FIRST, OTHER, setInput } from './project.ts'
import { cachedFiles, recordFiles } from './tools.ts'
import type { Tool } from './tools.ts'

type How = 'cut in half' | 'with a flipped bit' | 'edited, size and time as before' | 'cut somewhere'

/** `chance` says where. */
function damage(file: string, how: How, chance: number): void {
  const { mode, size } = statSync(file)
  const at = Math.floor(chance * size)
  const reference = `${file}.reference`
  // node sets times to the microsecond alone
  if (how === 'edited, size and time as before') execFileSync('cp', ['-p', file, reference])
  chmodSync(file, 0o644)
  if (how.startsWith('cut')) truncateSync(file, at)
  else {
    const bytes = readFileSync(file)
    bytes[at]! ^= 1
    writeFileSync(file, bytes)
  }
  if (existsSync(reference)) {
    execFileSync('touch', ['-r', reference, file])
    rmSync(reference)
  }
  chmodSync(file, mode & 0o777)
}

export async function damageOutput(tool: Tool, folder: string, index: number, how: How): Promise<Outcome> {
  const file = outputFile(tool, folder, index)
  damage(file, how, 0.5)
  return judge(tool, folder, FIRST, naming(file))
}

/** Then what the user sees of the outputs is deleted, so that it comes from the cache. */
export async function damageCache(tool: Tool, folder: string, index: number, how: How): Promise<Outcome> {
  const copies = cachedCopies(tool, folder, index)
  for (const copy of copies) damage(copy, how, 0.5)
  deleteOutputs(tool, folder)
  return judge(tool, folder, FIRST, naming(copies[0]!))
}

/** With the outputs there or deleted; then the other input, and the first once more. */
export async function damageRecord(
  tool: Tool,
  folder: string,
  { index, chance, share }: Attempt,
  how: How,
): Promise<Outcome> {
  const files = recordFiles(tool, folder)
  const file = files[Math.floor(chance * files.length)]!
  damage(file, how, share)
  if (index % 2 === 0) deleteOutputs(tool, folder)
  const outcomes: Outcome[] = []
  for (const input of [FIRST, OTHER, FIRST]) {
    setInput(folder, input)
    outcomes.push(await judge(tool, folder, input, naming(file)))
  }
  return worst(...outcomes)
}

export function outputFile({ outputs }: Tool, folder: string, index: number): string {
  const files = [outputs.upper, join(outputs.parts, 'aa'), outputs.joined]
  return join(folder, files[index % files.length]!)
}

/** Of an output's file, in the tool's cache. */
export function cachedCopies(tool: Tool, folder: string, index: number): string[] {
  const content = readFileSync(outputFile(tool, folder, index))
  const copies = cachedFiles(tool, folder).filter((file) => readFileSync(file).equals(content))
  if (copies.length === 0) throw new Error(`${tool.name} keeps no copy of its output in ${tool.cache}`)
  return copies
}

export function deleteOutputs(tool: Tool, folder: string): void {
  for (const path of tool.links) rmSync(join(folder, path), { recursive: true })
}

/** What a message has to say of a damaged file: its name, or its state. */
const naming = (file: string): RegExp =>
  new RegExp(`${basename(file).replaceAll('.', '\\.')}|damaged|corrupt|not whole|not what was published`, 'i')
