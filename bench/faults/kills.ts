import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { atWrite } from './at-write.ts'
import type { Attempt } from './attacks.ts'
import { begun } from './edits.ts'
import { judgeBoth, worst } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { OTHER, STEPS, isRight, setInput } from './project.ts'
import { run, start } from './tools.ts'
import type { Ended, Tool } from './tools.ts'

export async function killTool(tool: Tool, folder: string, { share, clean }: Attempt): Promise<Outcome> {
  setInput(folder, OTHER)
  const { child, ended } = start(tool, folder)
  await Promise.race([delay(share * clean.milliseconds), ended])
  child.kill('SIGKILL')
  return afterKill(tool, folder, await ended)
}

export async function killToolAtWrite(tool: Tool, folder: string, { share, clean }: Attempt): Promise<Outcome> {
  setInput(folder, OTHER)
  const { env } = atWrite(tool, folder, 1 + Math.floor(share * clean.writes))
  return afterKill(tool, folder, await run(tool, folder, { env }))
}

export async function killStage(tool: Tool, folder: string, { share }: Attempt): Promise<Outcome> {
  setInput(folder, OTHER)
  const { ended } = start(tool, folder)
  await begun(folder, 'slow.pid')
  await delay(share * 300)
  try {
    process.kill(Number(readFileSync(join(folder, 'slow.pid'), 'utf8')), 'SIGKILL')
  } catch {
    // it has ended by itself
  }
  return afterKill(tool, folder, await ended)
}

export async function killStageAtStep(tool: Tool, folder: string, { index }: Attempt): Promise<Outcome> {
  setInput(folder, OTHER)
  writeFileSync(join(folder, 'die'), STEPS[index]!)
  return afterKill(tool, folder, await run(tool, folder))
}

/** The run may have failed, but may not have said that all is well with a part of an output. */
async function afterKill(tool: Tool, folder: string, { ok }: Ended): Promise<Outcome> {
  const then: Outcome = ok && !isRight(folder, tool.outputs, OTHER) ? 'wrong' : 'correct'
  return worst(then, await judgeBoth(tool, folder))
}
