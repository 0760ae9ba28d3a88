import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { judgeBoth, outcomeOf, worst } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { OTHER, setInput } from './project.ts'
import { run } from './tools.ts'
import type { Tool } from './tools.ts'

const EIGHT = Array.from({ length: 8 }, (_, i) => i)
const NAMES = /lock|busy|another/i

export async function eight(tool: Tool, folder: string): Promise<Outcome> {
  return atOnce(
    tool,
    EIGHT.map(() => folder),
  )
}

export async function eightShared(tool: Tool, folder: string): Promise<Outcome> {
  const folders = EIGHT.map((i) => `${folder}-${i}`)
  try {
    for (const copy of folders) {
      execFileSync('cp', ['-a', folder, copy])
      tool.share(copy, `${folder}-shared`)
      await run(tool, copy) // which moves what it knows of the folder to the new one
    }
    return await atOnce(tool, folders)
  } finally {
    for (const made of [...folders, `${folder}-shared`]) rmSync(made, { recursive: true, force: true })
  }
}

/** Which run is done last is open: outputs are looked at when all are. */
async function atOnce(tool: Tool, folders: readonly string[]): Promise<Outcome> {
  for (const folder of folders) setInput(folder, OTHER)
  const ended = await Promise.all(folders.map((folder) => run(tool, folder)))
  const outcomes = ended.map((one, i) => outcomeOf(one, tool, folders[i]!, OTHER, NAMES))
  for (const folder of new Set(folders)) outcomes.push(await judgeBoth(tool, folder))
  return worst(...outcomes)
}
