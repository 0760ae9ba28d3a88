import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../lib/util/package-root.ts'
import { startPipeline } from './command.ts'

/** `npm run record:seeds`: the embedded default over three seeds of its trainings, kept for the README. */
const experiments = []
for (const seed of [1, 2, 3]) {
  const { experiment, metrics } = await startPipeline(packageRoot(), ['--set', `distill.seed=${seed}`]).ended
  experiments.push({ seed, hash: experiment, metrics })
  console.error(`seed ${seed}: experiment ${experiment ?? ''}`)
}
const folder = join(import.meta.dirname, 'results')
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'seeds.json'), `${JSON.stringify({ experiments }, null, 2)}\n`)
