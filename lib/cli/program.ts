import { Argument, Command, CommanderError, Option } from 'commander'
import type { Shell } from './commands/completion.ts'
import type { ExportArguments } from './commands/export.ts'
import type { ArgoArguments } from './commands/export-argo.ts'
import type { GenerateArguments } from './commands/generate.ts'
import type { LogitsArguments } from './commands/logits.ts'
import type { RunArguments } from './commands/run.ts'
import type { ScoreArguments } from './commands/score.ts'
import type { SetArguments } from './commands/set.ts'
import type { StageArguments } from './commands/stage.ts'
import { engineNames } from '../util/engine-names.ts'
import { exportFormats } from '../util/export.ts'
import { Failure } from '../util/failure.ts'
import { fromZero, positive, shardNumber, share, whole, withConfig, withJson } from './options.ts'
import type { ConfigOptions } from './options.ts'
import { exit, ignoreClosedOutput, writeFailures } from './output.ts'
import { addExperiments, addStore } from './program-store.ts'

/** Parses the arguments, runs one command and ends the process with its exit code. */
export async function main(args: readonly string[], version: string): Promise<void> {
  ignoreClosedOutput()
  const code = { value: 0 }
  const program = makeProgram(version, (value) => (code.value = value))
  try {
    await program.parseAsync(args.length === 0 ? ['help'] : args, { from: 'user' })
  } catch (error) {
    code.value = codeOf(error, args.includes('--json'))
  }
  exit(code.value)
}

function codeOf(error: unknown, json: boolean): number {
  // commander has said what is wrong; help and version are no mistakes
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof Failure) {
    writeFailures([error], json)
    return error.exitCode
  }
  console.error(`Internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  return 1
}

/** All commands and their options; `end` is told a command's exit code. */
export function makeProgram(version: string, end: (code: number) => void): Command {
  const program = new Command('pipeline')
  program.description('Runs what pipeline.yaml declares: every stage hashed by content, cached, explained.')
  program.version(version).exitOverride().helpCommand(false)
  withJson(program.command('init [folder]').description('write a small new project that uses this package')).action(
    async (folder: string | undefined, options: { json?: boolean }) =>
      end((await import('./commands/init.ts')).init(folder, options)),
  )
  addRun(program, end)
  addStage(program, end)
  addPlanning(program, end)
  addSet(program, end)
  addExperiments(program, end)
  addStore(program, end)
  addModels(program, end)
  withJson(
    program.command('doctor').description('say which engines work on this machine, and which one is chosen'),
  ).action(async (options: { json?: boolean }) => end(await (await import('./commands/doctor.ts')).doctor(options)))
  addCompletion(program, end)
  program
    .command('help [topic]')
    .description('list the commands, or explain one, or the code of a message: help KEY_UNKNOWN')
    .action(async (topic: string | undefined) => end((await import('./commands/help.ts')).help(program, topic)))
  return program
}

function addCompletion(program: Command, end: (code: number) => void): void {
  program
    .command('completion')
    .description('print what a shell reads to complete this command: source <(npx pipeline completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: Shell) => end((await import('./commands/completion.ts')).completion(shell)))
  program
    .command('complete [words...]', { hidden: true })
    .action(async (words: string[]) => end(await (await import('./commands/completion.ts')).complete(program, words)))
}

/** What every command on one model takes. */
const withModel = (command: Command, description: string): Command =>
  withJson(command.description(`${description}; a model is a hash, builtin:, file: or hub:`))

const withRunningModel = (command: Command, description: string): Command =>
  withModel(command, description).addOption(engineOption())

function addModels(program: Command, end: (code: number) => void): void {
  withRunningModel(program.command('generate <model> <prompt>'), 'continue a text')
    .addOption(new Option('--tokens <number>', 'at most so many new ones').argParser(positive).default(40))
    .addOption(new Option('--temperature <number>', '0 takes the likeliest').argParser(fromZero).default(1))
    .addOption(new Option('--top-k <number>', 'draw from the k likeliest; 0: all').argParser(whole).default(0))
    .addOption(new Option('--top-p <share>', 'draw from the likeliest that make up this').argParser(share).default(1))
    .addOption(new Option('--seed <number>', 'of the draws').argParser(whole).default(1))
    .action(async (model: string, prompt: string, options: GenerateArguments) =>
      end(await (await import('./commands/generate.ts')).generate(model, prompt, options)),
    )
  withRunningModel(program.command('logits <model>'), "print a model's logits, a row a token")
    .requiredOption('--ids <numbers>', 'token ids, apart by commas')
    .action(async (model: string, options: LogitsArguments) =>
      end(await (await import('./commands/logits.ts')).logits(model, options)),
    )
  withRunningModel(program.command('score <model>'), "measure a model's perplexity on a text")
    .requiredOption('--text <file>', 'a text file, read as one document')
    .addOption(new Option('--stride <tokens>', 'from row to row').argParser(positive).default(0, 'half the context'))
    .action(async (model: string, options: ScoreArguments) =>
      end(await (await import('./commands/score.ts')).score(model, options)),
    )
  addExport(program, end)
}

function addExport(program: Command, end: (code: number) => void): void {
  withConfig(
    program
      .command('export [model]')
      .description(
        'write a model as other programs load it; a model is a hash, builtin:, file: or hub:. Without one, `--to argo` prints the stages as an Argo Workflow',
      ),
  )
    .requiredOption('--to <folder>', 'a new folder; or `argo`')
    .addOption(new Option('--format <name>', 'of the weights').choices([...exportFormats]).default('safetensors'))
    .option('--image <name>', 'of the steps of a workflow: Node, and what stages need', 'node:20')
    .option('--claim <name>', 'of the volume that has the project, for a workflow', 'pipeline')
    .action(async (model: string | undefined, options: ExportArguments & ArgoArguments) => {
      if (model !== undefined) end(await (await import('./commands/export.ts')).exportModel(model, options))
      else if (options.to === 'argo') end(await (await import('./commands/export-argo.ts')).exportArgo(options))
      else program.error('error: name the model to export, or `--to argo` for the stages', { exitCode: 2 })
    })
}

const engineOption = (): Option =>
  new Option('--engine <name>', 'what runs the numbers')
    .env('PIPELINE_ENGINE')
    .choices(['auto', ...engineNames])
    .default('auto')

function addRun(program: Command, end: (code: number) => void): void {
  withConfig(
    program
      .command('run [stages...]')
      .description('run the stages whose results are not there; all, or those named and what they read'),
  )
    .option('--dry-run', 'say what would run and why, and touch nothing')
    .addOption(
      new Option('--watch', 'run again whenever a file changes that the plan depends on; Ctrl-C ends').conflicts(
        'dryRun',
      ),
    )
    .addOption(new Option('--jobs <number>', 'stages at once').argParser(positive))
    .option('--keep-going', 'after a failure, go on with what does not depend on it')
    .addOption(engineOption())
    .addOption(new Option('--quiet', 'say failures, and what there is in the end').conflicts(['verbose', 'debug']))
    .option('--verbose', 'say what stages write to their logs, as it comes')
    .option('--debug', 'one stage at a time, with its log as it comes and the stacks of its errors')
    .addOption(
      new Option('--executor <name>', 'run all stages as processes here, or as jobs of Slurm').choices([
        'local',
        'slurm',
      ]),
    )
    .option('--force', 'run the named stages, or all, although their results are there')
    .addOption(
      new Option(
        '--audit',
        'run them although their results are there, and name what they reach for undeclared; exit code 1 if anything',
      ).conflicts(['dryRun', 'watch']),
    )
    .action(async (stages: string[], options: RunArguments) =>
      end(await (await import('./commands/run.ts')).run(stages, options)),
    )
}

function addStage(program: Command, end: (code: number) => void): void {
  withConfig(
    program
      .command('stage <stage>')
      .description('make the result of one stage from those that are there: a step of a workflow'),
  )
    .requiredOption(
      '--key <digest>',
      'of its definition, as `export --to argo` wrote it: refused where it is another now',
    )
    .addOption(new Option('--shard <number/of>', 'make this part of it alone, `2/8`').argParser(shardNumber))
    .addOption(engineOption())
    .action(async (id: string, options: StageArguments) =>
      end(await (await import('./commands/stage.ts')).stage(id, options)),
    )
}

function addPlanning(program: Command, end: (code: number) => void): void {
  withConfig(program.command('status').description('say which stages are fresh and which would run')).action(
    async (options: ConfigOptions) => end(await (await import('./commands/status.ts')).status(options)),
  )
  withConfig(
    program.command('explain <stage>').description('say what changed since the nearest earlier result of a stage'),
  ).action(async (stage: string, options: ConfigOptions) =>
    end(await (await import('./commands/explain.ts')).explain(stage, options)),
  )
  withConfig(
    program
      .command('schema [files...]')
      .description(
        'write pipeline.schema.json, by which editors complete pipeline.yaml and the parameters of its stages',
      ),
  ).action(async (files: string[], options: ConfigOptions) =>
    end(await (await import('./commands/schema.ts')).schema(files, options)),
  )
  withConfig(program.command('graph').description('draw the stages as a Mermaid flowchart')).action(
    async (options: ConfigOptions) => end(await (await import('./commands/graph.ts')).graph(options)),
  )
}

function addSet(program: Command, end: (code: number) => void): void {
  withJson(
    program
      .command('set <settings...>')
      .description('write parameters (distill.temperature=4) into pipeline.yaml, and say which stages would run'),
  )
    .option('-p, --recipe <file>', 'write into this recipe')
    .action(async (settings: string[], options: SetArguments) =>
      end(await (await import('./commands/set.ts')).set(settings, options)),
    )
}
