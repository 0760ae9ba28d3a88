import { readFileSync } from 'node:fs'
import { listenForStop } from '../../lib/cli/signals.ts'
import type { Pipeline } from '../../lib/pipeline/pipeline.ts'
import type { Failure } from '../../lib/util/failure.ts'
import { runPipeline } from '../../lib/pipeline/run.ts'

/** A process that runs the pipeline in the JSON file of its argument and tells its events, as the command does. */
const read = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as { pipeline: Pipeline; graceSeconds?: number }
const { graceSeconds } = read
const pipeline = { ...read.pipeline, stages: read.pipeline.stages.map((one) => ({ ...one, places: () => ({}) })) }
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`)
const said = ({ code, message }: Failure): object => ({ code, message })
const stop = listenForStop(() => undefined)
const result = await runPipeline(pipeline, {
  engine: 'auto',
  resolveRevisions: () => Promise.reject(new Error('a driver has no hub')),
  signal: stop.signal,
  kill: stop.kill,
  graceSeconds,
  onEvent: (event) => say(event.type === 'failure' ? { ...event, ...said(event.failure) } : event),
})
if (!result.ok) say({ type: 'error', code: result.error[0]!.code, message: result.error[0]!.message })
process.exitCode = stop.exitCode() ?? (!result.ok ? 2 : result.value.failures.length > 0 ? 1 : 0)
