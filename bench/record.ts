import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Event } from '../lib/pipeline/event.ts'
import type { JsonObject } from '../lib/util/json.ts'
import { packageRoot } from '../lib/util/package-root.ts'
import { startPipeline } from './command.ts'
import { machine } from './figures.ts'
import { readJson } from './readme/read.ts'
import type { RecordedExperiment } from './readme/recorded.ts'

/** `npm run record -- NAME [what pipeline run takes]`: runs the pipeline, and keeps what it measured for the README. */
const [name = '', ...args] = process.argv.slice(2)
if (/^[a-z0-9][a-z0-9.-]*$/.test(name)) await record()
else {
  console.error('usage: npm run record -- NAME [-p RECIPE] [--set NAME=VALUE] …')
  process.exitCode = 2
}

async function record(): Promise<void> {
  const { experiment, stages, metrics, seconds } = await startPipeline(packageRoot(), args, say).ended
  if (experiment === null) throw new Error('only a run of all stages is an experiment: name no stages')
  const file = join(import.meta.dirname, 'results', `${name}.metrics.json`)
  // the time of a run that found results says nothing of the whole
  const whole = stages.every(({ outcome }) => outcome === 'ran') ? seconds : earlier(file, experiment)
  const recorded: RecordedExperiment<JsonObject> = { experiment, machine: machine(), seconds: whole, metrics }
  mkdirSync(join(import.meta.dirname, 'results'), { recursive: true })
  writeFileSync(file, `${JSON.stringify(recorded, null, 2)}\n`)
  if (whole === null) console.error('some results were there already, and no earlier time: none is recorded')
  console.error(`${file}; \`npm run readme\` puts it into README.md`)
}

/** The time that was recorded of the same experiment on this machine. */
function earlier(file: string, experiment: string): number | null {
  const before = readJson(file) as RecordedExperiment | undefined
  return before?.experiment === experiment && before.machine === machine() ? before.seconds : null
}

function say(event: Event): void {
  if (event.type === 'stage-started') console.error(`start  ${event.stage}`)
  if (event.type === 'stage-finished') console.error(`${event.outcome}  ${event.name}  ${event.seconds.toFixed(1)} s`)
}
