import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { figure } from '../figures.ts'
import type { Figure } from '../figures.ts'
import { chainYaml, matrixYaml } from './large.ts'
import { ours, secondsOf } from './tools.ts'

const turns = 5
const CHAIN = 300

/** Large pipelines, planned; and a chain of small commands, run. */
export async function largePipelines(folder: string): Promise<readonly Figure[]> {
  const figures = [
    ...(await planned(join(folder, 'chain'), 'a chain of 20,000 stages', chainYaml(20_000))),
    ...(await planned(join(folder, 'matrix'), 'a matrix of 10,000 cells', matrixYaml(100, 100))),
  ]
  const run = join(folder, 'run')
  write(run, chainYaml(CHAIN))
  const seconds = await secondsOf(ours, run)
  if (seconds === undefined) throw new Error(`a chain of ${CHAIN} stages did not run`)
  const what = `a stage of a chain of ${CHAIN.toLocaleString('en')} that each copy a file`
  return [...figures, figure({ what, unit: 'ms', ours: (1000 * seconds) / CHAIN, reach: { max: 100 } })]
}

async function planned(folder: string, what: string, yaml: string): Promise<readonly Figure[]> {
  write(folder, yaml)
  await plan(folder) // the first makes the folder of the cache
  const all: Planned[] = []
  for (let turn = 0; turn < turns; turn++) all.push(await plan(folder))
  const [seconds, mib] = [all.map((one) => one.seconds), Math.max(...all.map((one) => one.mib))]
  return [
    figure({ what: `\`run --dry-run\` of ${what}`, unit: 's', ours: seconds, reach: { max: 2 } }),
    figure({
      what: `peak resident memory of \`run --dry-run\` of ${what}`,
      unit: 'MiB',
      ours: mib,
      reach: { max: 500 },
    }),
  ]
}

function write(folder: string, yaml: string): void {
  mkdirSync(folder)
  writeFileSync(join(folder, 'pipeline.yaml'), yaml)
  writeFileSync(join(folder, 'input.txt'), 'x\n')
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
}

interface Planned {
  readonly seconds: number
  readonly mib: number
}

/** The process tells its own peak as it ends: no sampling can miss it. */
const TELL = `data:text/javascript,process.on('exit',()=>process.send(process.resourceUsage().maxRSS))`

async function plan(folder: string): Promise<Planned> {
  const started = performance.now()
  const args = [`--import=${TELL}`, ...ours.argv.slice(1), '--dry-run']
  const child = spawn(ours.argv[0]!, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  let kib = 0
  child.on('message', (message) => (kib = Number(message)))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0 || kib === 0) throw new Error(`the plan of "${folder}" ended with exit code ${code ?? 'none'}`)
  return { seconds: (performance.now() - started) / 1000, mib: kib / 1024 }
}
