import { join, relative } from 'node:path'
import type { Event } from '../../pipeline/event.ts'
import { readExperiment } from '../../pipeline/experiment.ts'
import type { ExperimentRecord } from '../../pipeline/experiment.ts'
import { planRun } from '../../pipeline/plan.ts'
import type { PlanOptions } from '../../pipeline/plan.ts'
import type { ExecutorName, Pipeline } from '../../pipeline/pipeline.ts'
import { runPipeline } from '../../pipeline/run.ts'
import type { RunSummary } from '../../pipeline/run-options.ts'
import { watchPipeline } from '../../pipeline/watch.ts'
import type { Failure } from '../../util/failure.ts'
import { watchAudit } from '../audit.ts'
import { EDITOR_FILE, refreshEditorFile } from '../editor-file.ts'
import { load } from '../load.ts'
import { logRecorded } from '../log-recorded.ts'
import { exitCodeOf, write, writeError, writeFailures, writeJson } from '../output.ts'
import { choosePrinter } from '../choose-printer.ts'
import type { PrinterOptions } from '../choose-printer.ts'
import { jsonPrinter } from '../printer.ts'
import type { Printer } from '../printer.ts'
import type { ConfigOptions } from '../options.ts'
import { revisionsOf } from '../revisions.ts'
import { listenForStop } from '../signals.ts'
import type { Stop } from '../signals.ts'
import { planJson, planLines } from '../plan.ts'
import { wordFailure } from '../words.ts'

export interface RunArguments extends ConfigOptions, Pick<PrinterOptions, 'quiet' | 'verbose' | 'debug'> {
  readonly dryRun?: boolean
  readonly watch?: boolean
  readonly jobs?: number
  readonly keepGoing?: boolean
  readonly engine: string
  readonly executor?: ExecutorName
  readonly force?: boolean
  readonly audit?: boolean
}

/**
 * `pipeline run`: makes what is not there. Exit code 0; 1 a stage failed, or an audit found something; 2 a mistake of the
 * user; 128 + signal.
 */
export async function run(targets: readonly string[], options: RunArguments): Promise<number> {
  const json = options.json === true
  const named = targets.length > 0 ? targets : true
  const audit = options.audit === true ? named : undefined
  const force = options.force === true ? named : audit
  const stop = listenForStop((step) => writeError(step === 'stopping' ? STOPPING : 'ending all stages at once'))
  if (options.watch === true) return watch(targets, force, options, stop)
  const loaded = await load(options)
  if (!loaded.ok) return refuse(loaded.error, options)
  if (options.dryRun === true) {
    const plan = { targets, force, resolveRevisions: revisionsOf('no', stop.signal), signal: stop.signal }
    const code = await dryRun(loaded.value, plan, json)
    return stop.exitCode() ?? code
  }
  const audited = watchAudit()
  const printer = await choosePrinter(options)
  const print: Printer = (event) => {
    audited.hear(event)
    printer(event)
  }
  const ran = await runPipeline(loaded.value, { ...runOptions(options, stop, print), targets, force, audit })
  if (!ran.ok || !isFresh(ran.value)) await keepEditorFile(loaded.value, options)
  if (!ran.ok) {
    const code = refuse(ran.error, options)
    return stop.exitCode() ?? code
  }
  if (!json) sayWhere(loaded.value, ran.value)
  if (!json && audit !== undefined) write(audited.summary())
  return stop.exitCode() ?? (ran.value.failures.length > 0 || audited.found() ? 1 : 0)
}

const STOPPING = 'stopping: stages write a checkpoint first; once more ends them at once'

function runOptions(
  { jobs, keepGoing, engine, executor, debug }: RunArguments,
  { signal, kill }: Stop,
  onEvent: Printer,
) {
  return {
    jobs: debug === true ? 1 : jobs,
    keepGoing,
    engine,
    executor,
    resolveRevisions: revisionsOf('yes', signal),
    signal,
    kill,
    onEvent,
    joinReport: async (page: string, record: ExperimentRecord) =>
      (await import('../../report/join.ts')).joinReport(page, record),
    onRecorded: (record: ExperimentRecord) => logRecorded(process.cwd(), record, signal, onEvent),
  }
}

/** Exit code 0 for a Ctrl-C while nothing ran: that is how watching ends. */
async function watch(
  targets: readonly string[],
  force: PlanOptions['force'],
  options: RunArguments,
  stop: Stop,
): Promise<number> {
  const json = options.json === true
  const onEvent = await choosePrinter(options)
  const interrupted = await watchPipeline({
    ...runOptions(options, stop, onEvent),
    targets,
    force,
    root: process.cwd(),
    files: ['pipeline.yaml', ...options.recipe],
    load: () => load(options),
    onRefused: (failures) => refuse(failures, options),
    onRan: (pipeline, summary) => {
      if (!isFresh(summary)) void keepEditorFile(pipeline, options)
      if (!json) sayWhere(pipeline, summary)
    },
  })
  const code = stop.exitCode() ?? 0
  return interrupted || code !== 130 ? code : 0
}

const isFresh = ({ finished }: RunSummary): boolean => finished.stages.every(({ outcome }) => outcome === 'fresh')

/** Stages that were edited may take other parameters: an editor is to know them. */
async function keepEditorFile({ root }: Pipeline, { json, quiet }: RunArguments): Promise<void> {
  if ((await refreshEditorFile(root)) && json !== true && quiet !== true) write(`wrote    ${EDITOR_FILE}`)
}

/** Nothing ran. A reader of `--json` still gets the last line that it always gets. */
function refuse(failures: readonly Failure[], { json, dryRun }: RunArguments): number {
  writeFailures(failures, json === true && dryRun === true)
  if (json === true && dryRun !== true) {
    for (const failure of failures) jsonPrinter({ type: 'failure', stage: null, failure, log: null })
    const finished: Event = { type: 'finished', experiment: null, stages: [], metrics: {} }
    jsonPrinter(finished)
  }
  return exitCodeOf(failures)
}

async function dryRun(pipeline: Pipeline, options: PlanOptions, json: boolean): Promise<number> {
  const plan = await planRun(pipeline, options)
  if (!plan.ok) {
    writeFailures(plan.error, json)
    return exitCodeOf(plan.error)
  }
  for (const notice of plan.value.notices) writeError(wordFailure(notice, 'warning'))
  if (json) writeJson(planJson(plan.value))
  else write(planLines(plan.value))
  return 0
}

/** The last lines of a run: where its record and its page are. */
function sayWhere({ root }: Pipeline, { finished }: RunSummary): void {
  if (finished.experiment === null) return
  const found = readExperiment(root, finished.experiment)
  const page = found.ok ? found.value.page : null
  write(relative(process.cwd(), page ?? join(root, 'artifacts', 'experiments', finished.experiment)))
}
