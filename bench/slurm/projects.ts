import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { matrixYaml } from '../noop/large.ts'

/** So that the nodes, which are this machine, take nothing of what is measured. */
const HELD = 'slurm: { options: [--hold] }\n'

/** Cells that copy a file, as jobs of one array. */
export const cellsYaml = (rows: number, columns: number): string => `${matrixYaml(rows, columns)}    executor: slurm\n`

export const heldCellsYaml = (rows: number, columns: number): string => cellsYaml(rows, columns) + HELD

/** Stages that need nothing of one another, each a job that is handed in for itself. */
export function stagesYaml(stages: number): string {
  const lines = Array.from(
    { length: stages },
    (_, i) =>
      `  s${i}: { cmd: [cp, '\${in.a}', '\${out.b}'], in: { a: input.txt }, with: { i: ${i} }, out: [b], executor: slurm }\n`,
  )
  return `version: 1\nstages:\n${lines.join('')}`
}

/** A stage in so many parts. */
export const heldShardsYaml = (shards: number): string => `version: 1
stages:
  work:
    run: work.ts
    in: { a: input.txt }
    with: { units: ${shards} }
    out: [b]
    shards: ${shards}
    executor: slurm
${HELD}`

const WORK = `export default {
  params: { type: 'object', additionalProperties: false, properties: { units: { type: 'integer' } } },
  in: ['a'], out: ['b'],
  async run() {},
  shards: { unit: 'units', units: ({ with: { units } }) => units, async run() {}, async merge() {} },
}
`

export function writeProject(folder: string, yaml: string): void {
  mkdirSync(folder)
  const files = { 'pipeline.yaml': yaml, 'work.ts': WORK, 'input.txt': 'x\n', 'package.json': '{"type":"module"}' }
  for (const [name, text] of Object.entries(files)) writeFileSync(`${folder}/${name}`, text)
}

/** All jobs of a cluster of our own. */
export const cancelAll = (): unknown => execFileSync('scancel', ['--user=root'])
