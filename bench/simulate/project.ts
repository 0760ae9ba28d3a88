import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadPipeline } from '../../lib/pipeline/config.ts'
import { programBundle } from '../../lib/pipeline/host-bundle.ts'
import { prepare } from '../../lib/pipeline/prepare.ts'
import type { Prepared } from '../../lib/pipeline/prepare.ts'

const STAGE = `
export default {
  params: { type: 'object', additionalProperties: false, properties: { units: { type: 'integer' } } },
  in: ['text'], out: ['text'],
  async run() {},
  shards: { unit: 'units', units: ({ with: { units } }) => units, async run() {}, async merge() {} },
}`

const yaml = (shards: number): string => `version: 1
stages:
  work:
    run: work.ts
    in: { text: input.txt }
    with: { units: ${shards} }
    out: [text]
    shards: ${shards}
    executor: slurm
`

/** A project whose one stage is done in so many parts, in a folder in memory where there is such. */
export async function makeProject(shards: number): Promise<{ readonly root: string; readonly prepared: Prepared }> {
  const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'simulate-'))
  writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  writeFileSync(join(root, 'work.ts'), STAGE)
  writeFileSync(join(root, 'input.txt'), 'x\n')
  writeFileSync(join(root, 'pipeline.yaml'), yaml(shards))
  const loaded = await loadPipeline({ file: join(root, 'pipeline.yaml'), overlays: [], sets: [] })
  if (!loaded.ok) throw loaded.error[0]!
  const prepared = await prepare(loaded.value, undefined, () => Promise.resolve([]))
  if (!prepared.ok) throw prepared.error[0]!
  // what is bundled once and kept is no cost of a run
  await Promise.all(['pipeline/executor/job.ts', 'pipeline/host.ts'].map(programBundle))
  return { root, prepared: prepared.value }
}
