import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { Random } from '../lib/util/random.ts'
import { arm, attacks } from './faults/attacks.ts'
import type { Attack, Attempt, CleanRun } from './faults/attacks.ts'
import { atWrite } from './faults/at-write.ts'
import { blocksOf } from './faults/disk.ts'
import { BAD } from './faults/outcome.ts'
import type { Counts, Outcome } from './faults/outcome.ts'
import { ours } from './faults/ours.ts'
import { dvc, wireit } from './faults/peers.ts'
import { FIRST, OTHER, isRight, setInput, writeProject } from './faults/project.ts'
import { run } from './faults/tools.ts'
import type { Tool } from './faults/tools.ts'
import { figure } from './figures.ts'
import type { Bench, Figure } from './figures.ts'

export const faults: Bench = {
  about: 'what is left after kills, full disks, missing permissions, damage, edits and eight runs at once, by tool',
  run: async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'faults-')))
    try {
      const prepared = []
      for (const tool of [ours, wireit(), dvc()])
        prepared.push(await prepare(tool, join(folder, tool.name.split(' ')[0]!)))
      const figures: Figure[] = []
      for (const attack of attacks) figures.push(...(await measure(attack, prepared)))
      return figures
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

interface Prepared {
  readonly tool: Tool
  /** A project in which the first input has been run. */
  readonly folder: string
  readonly clean: CleanRun
}

async function prepare(tool: Tool, folder: string): Promise<Prepared> {
  mkdirSync(folder)
  writeProject(folder)
  tool.setUp(folder)
  setInput(folder, 'before\nit\nall\n')
  await runRight(tool, folder, 'before\nit\nall\n') // the tool's own caches are made
  setInput(folder, FIRST)
  const started = performance.now()
  await runRight(tool, folder, FIRST)
  const milliseconds = performance.now() - started
  return {
    tool,
    folder,
    clean: { milliseconds, writes: await writesOf(tool, folder), blocks: await blocksOf(tool, folder) },
  }
}

async function writesOf(tool: Tool, folder: string): Promise<number> {
  const copy = await copyOf(tool, folder)
  setInput(copy, OTHER)
  const { env, count } = atWrite(tool, copy, 0)
  await run(tool, copy, { env })
  return count()
}

let copies = 0

/** A copy of a project in a folder that was none's before, as tools remember folders. */
async function copyOf(tool: Tool, folder: string): Promise<string> {
  const copy = `${folder}-${++copies}`
  execFileSync('cp', ['-a', folder, copy])
  await runRight(tool, copy, FIRST)
  return copy
}

async function runRight(tool: Tool, folder: string, input: string): Promise<void> {
  const { ok, said } = await run(tool, folder)
  if (!ok || !isRight(folder, tool.outputs, input))
    throw new Error(`${tool.name} did not do a clean run in ${folder}: ${said}`)
}

/** Attempts wait more than they compute. */
const limit = pLimit(4)

/** All tools meet the same times and places, each attempt in a project of its own. */
async function measure(attack: Attack, prepared: readonly Prepared[]): Promise<readonly Figure[]> {
  const random = new Random(1, attack.name)
  const chances = Array.from({ length: attack.tries }, (_, index) => ({
    index,
    share: (index + random.uniform()) / attack.tries,
    chance: random.uniform(),
  }))
  const outcomes = chances.map((one) => prepared.map((under) => limit(() => attempt(attack, under, one))))
  const counts = await Promise.all(prepared.map((_, i) => count(outcomes.map((of) => of[i]!))))
  return prepared.slice(1).map(({ tool }, i) => figureOf(attack, tool.name, counts[0]!, counts[i + 1]!))
}

async function attempt(
  attack: Attack,
  { tool, folder, clean }: Prepared,
  chances: Omit<Attempt, 'clean'>,
): Promise<Outcome> {
  const copy = await copyOf(tool, folder)
  arm(copy)
  const outcome = await attack.act(tool, copy, { ...chances, clean })
  // for who looks on; what is bad is worth a look
  console.error(`${tool.name}: ${attack.name}, try ${chances.index + 1} of ${attack.tries}: ${outcome}`)
  rmSync(copy, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }) // a killed tool's stage may still write
  return outcome
}

async function count(outcomes: readonly Promise<Outcome>[]): Promise<Counts> {
  const counts: Partial<Record<Outcome, number>> = {}
  for (const outcome of await Promise.all(outcomes)) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

const bad = (counts: Counts): number => BAD.reduce((sum, one) => sum + (counts[one] ?? 0), 0)

function figureOf({ name, tries }: Attack, peerName: string, own: Counts, peer: Counts): Figure {
  const counted = figure({
    what: name,
    unit: `of ${tries}`,
    ours: bad(own),
    reach: { max: 0 },
    peer: bad(peer),
    peerName,
  })
  return { ...counted, fault: { tries, ours: own, peer } }
}
