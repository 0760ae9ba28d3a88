import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Attempt } from './attacks.ts'
import { judge, worst } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { FIRST, OTHER, setInput } from './project.ts'
import { start } from './tools.ts'
import type { Started, Tool } from './tools.ts'

/** One of an earlier run of more parts, or one that a user left there. */
export async function stale(tool: Tool, folder: string, { index }: Attempt): Promise<Outcome> {
  if (index % 2 === 0) setInput(folder, OTHER)
  else writeFileSync(join(folder, tool.outputs.parts, 'zz'), 'stale\n')
  return judge(tool, folder, index % 2 === 0 ? OTHER : FIRST)
}

/** The run may fail; what counts is what later runs give, for the new input and for the old one. */
export async function edit(tool: Tool, folder: string, { share }: Attempt): Promise<Outcome> {
  const { ended } = await runSlow(tool, folder)
  await delay(share * 250)
  const edited = FIRST.replace('one', 'uno')
  setInput(folder, edited)
  await ended
  const now = await judge(tool, folder, edited)
  setInput(folder, OTHER)
  return worst(now, await judge(tool, folder, OTHER))
}

export async function editAndBack(tool: Tool, folder: string): Promise<Outcome> {
  const { ended } = await runSlow(tool, folder)
  setInput(folder, FIRST)
  await begun(folder, 'slow.read')
  setInput(folder, OTHER)
  await ended
  return judge(tool, folder, OTHER)
}

/** Starts a run on the other input and waits for its slow stage. */
async function runSlow(tool: Tool, folder: string): Promise<Pick<Started, 'ended'>> {
  setInput(folder, OTHER)
  const { ended } = start(tool, folder)
  await begun(folder, 'slow.pid')
  return { ended } // not the promise itself, which would be waited for
}

/** Waits for a file that the slow stage makes anew. */
export async function begun(folder: string, marker: string): Promise<void> {
  for (let i = 0; i < 3000 && !existsSync(join(folder, marker)); i++) await delay(10)
}
