import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { figure } from './figures.ts'
import type { Bench, Figure } from './figures.ts'
import { warnOfLoad } from './load.ts'
import { bigInputs } from './noop/big.ts'
import { makeProject, noopSeconds } from './noop/project.ts'
import { inputBytesRead } from './noop/reads.ts'
import { largePipelines } from './noop/scale.ts'
import { dvc, ours, secondsOf, turbo, wireit } from './noop/tools.ts'
import type { Tool } from './noop/tools.ts'

const turns = 9
const FEW = 1000
const MANY = 100_000

export const noop: Bench = {
  about: 'a run with nothing to do beside wireit, Turborepo and DVC; large inputs; large pipelines',
  run: async () => {
    warnOfLoad()
    const folder = mkdtempSync(join(tmpdir(), 'noop-'))
    try {
      const tools = [ours, wireit(), turbo(), dvc()]
      const few = await fewFiles(join(folder, 'few'), tools)
      const big = await bigInputs(join(folder, 'few', '0'), few[0]!.ours)
      rmSync(join(folder, 'few'), { recursive: true, force: true })
      const scale = await largePipelines(folder)
      return [...few, ...big, ...(await manyFiles(join(folder, 'many'), tools)), ...scale]
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    }
  },
}

const what = (files: number): string => `a run with nothing to do, 7 stages, ${files.toLocaleString('en')} input files`

/** In turns: what else the machine does falls on all. */
async function fewFiles(folder: string, tools: readonly Tool[]): Promise<readonly Figure[]> {
  for (const [i, tool] of tools.entries()) {
    if ((await makeProject(tool, join(folder, String(i)), FEW)) === undefined) throw new Error(`${tool.name} failed`)
    await settle(tool, join(folder, String(i)))
  }
  const times = tools.map((): number[] => [])
  for (let turn = 0; turn < turns; turn++)
    for (const [i, tool] of tools.entries()) times[i]!.push((await noopSeconds(tool, join(folder, String(i)))) ?? NaN)
  const [mine = [], ...others] = times
  const bytes = inputBytesRead(join(folder, '0'))
  return [
    figure({ what: what(FEW), unit: 's', ours: mine, reach: { max: 0.2 } }),
    ...others.map((peer, i) =>
      figure({ what: what(FEW), unit: 's', ours: mine, peer, peerName: tools[i + 1]!.name, reach: { max: 1 } }),
    ),
    figure({ what: 'input bytes read by it', unit: 'bytes', ours: bytes, reach: { max: 0 } }),
  ]
}

/** Its caches are made; Turborepo hashes what its own stages wrote only in the run after, and runs them once more. */
async function settle(tool: Tool, folder: string): Promise<void> {
  for (let i = 0; i < 2; i++) await secondsOf(tool, folder)
}

/** The peers where they come to an end. */
async function manyFiles(folder: string, tools: readonly Tool[]): Promise<readonly Figure[]> {
  const times: (readonly number[] | undefined)[] = []
  for (const [i, tool] of tools.entries()) {
    const project = join(folder, String(i))
    const made = await makeProject(tool, project, MANY)
    times.push(made === undefined ? undefined : await timesOf(tool, project, i === 0 ? 5 : 3))
    if (made === undefined) console.error(`${tool.name} did not come to an end with ${MANY} files`)
    rmSync(project, { recursive: true, force: true, maxRetries: 3 })
  }
  const [mine = [], ...others] = times
  return [
    figure({ what: what(MANY), unit: 's', ours: mine, reach: { max: 1.2 } }),
    ...others.flatMap((peer, i) => {
      const peerName = tools[i + 1]!.name
      return peer === undefined
        ? []
        : [figure({ what: what(MANY), unit: 's', ours: mine, peer, peerName, reach: { max: 1 } })]
    }),
  ]
}

async function timesOf(tool: Tool, folder: string, count: number): Promise<readonly number[] | undefined> {
  await settle(tool, folder)
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const seconds = await noopSeconds(tool, folder)
    if (seconds === undefined) return undefined
    times.push(seconds)
  }
  return times
}
