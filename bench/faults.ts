import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { arm, attacks } from './faults/attacks.ts'
import type { Attack } from './faults/attacks.ts'
import { FIRST, isRight, setInput, writeProject } from './faults/project.ts'
import { dvc, ours, run, wireit } from './faults/tools.ts'
import type { Tool } from './faults/tools.ts'
import { figure } from './figures.ts'
import type { Bench, Figure } from './figures.ts'

export const faults: Bench = {
  about: 'wrong and lost outputs after kills, damage, edits and eight runs at once, beside other tools',
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'faults-'))
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
  readonly folder: string
  /** A clean run of all stages. */
  readonly milliseconds: number
}

/** A project in which the first input has been run. */
async function prepare(tool: Tool, folder: string): Promise<Prepared> {
  mkdirSync(folder)
  writeProject(folder)
  tool.setUp(folder)
  setInput(folder, 'before\n')
  await runRight(tool, folder, 'before\n') // the tool's own caches are made
  setInput(folder, FIRST)
  const started = performance.now()
  await runRight(tool, folder, FIRST)
  return { tool, folder, milliseconds: performance.now() - started }
}

async function runRight(tool: Tool, folder: string, input: string): Promise<void> {
  if (!(await run(tool, folder)) || !isRight(folder, tool.outputs, input))
    throw new Error(`${tool.name} did not do a clean run in ${folder}`)
}

interface Counted {
  wrong: number
  lost: number
}

/** All tools meet the same times and places, one after the other. */
async function measure(attack: Attack, prepared: readonly Prepared[]): Promise<readonly Figure[]> {
  const counts = prepared.map((): Counted => ({ wrong: 0, lost: 0 }))
  for (let index = 0; index < attack.tries; index++) {
    const chance = Math.random()
    for (const [i, { tool, folder, milliseconds }] of prepared.entries()) {
      const copy = `${folder}-copy`
      execFileSync('cp', ['-a', folder, copy])
      await runRight(tool, copy, FIRST)
      arm(copy)
      const { wrong, lost } = await attack.act(tool, copy, { index, chance, milliseconds })
      counts[i]!.wrong += Number(wrong)
      counts[i]!.lost += Number(lost)
      rmSync(copy, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }) // a killed tool's stage may still write
    }
  }
  return prepared.slice(1).flatMap(({ tool }, i) => figuresOf(attack, tool.name, counts[0]!, counts[i + 1]!))
}

const figuresOf = ({ name, tries }: Attack, peerName: string, own: Counted, peer: Counted): Figure[] =>
  (['wrong', 'lost'] as const).map((what) => {
    const fault = { attack: name, what, tries }
    const made = figure({
      what: `${name}: ${what}`,
      unit: `of ${tries}`,
      ours: own[what],
      reach: { max: 0 },
      peer: peer[what],
      peerName,
    })
    return { ...made, fault }
  })
