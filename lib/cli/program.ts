import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { ExportArguments } from './commands/export.ts'
import type { GcArguments } from './commands/gc.ts'
import type { GenerateArguments } from './commands/generate.ts'
import type { LogArguments } from './commands/log.ts'
import type { LogitsArguments } from './commands/logits.ts'
import type { RunArguments } from './commands/run.ts'
import type { ScoreArguments } from './commands/score.ts'
import { exportFormats } from '../util/export.ts'
import { Failure } from '../util/failure.ts'
import { exit, ignoreClosedOutput, writeFailures } from './output.ts'

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

/** What every command that reads pipeline.yaml takes. */
export interface ConfigOptions {
  readonly recipe: readonly string[]
  readonly set: readonly string[]
  readonly json?: boolean
}

const gather = (value: string, before: readonly string[]): readonly string[] => [...before, value]

function withConfig(command: Command): Command {
  return withJson(command)
    .addOption(
      new Option('-p, --recipe <file>', 'lay a recipe over pipeline.yaml; may be repeated, later wins')
        .argParser(gather)
        .default([], 'none'),
    )
    .addOption(
      new Option('--set <name=value>', 'set a parameter: distill.temperature=4; may be repeated')
        .argParser(gather)
        .default([], 'none'),
    )
}

const withJson = (command: Command): Command => command.option('--json', 'print JSON and nothing else')

function makeProgram(version: string, end: (code: number) => void): Command {
  const program = new Command('pipeline')
  program.description('Runs what pipeline.yaml declares: every stage hashed by content, cached, explained.')
  program.version(version).exitOverride().helpCommand('help [command]', 'list the commands, or explain one')
  addRun(program, end)
  addPlanning(program, end)
  addExperiments(program, end)
  addStore(program, end)
  addModels(program, end)
  withJson(
    program.command('doctor').description('say which engines work on this machine, and which one is chosen'),
  ).action(async (options: { json?: boolean }) => end(await (await import('./commands/doctor.ts')).doctor(options)))
  return program
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
  withModel(program.command('export <model>'), 'write a model as other programs load it')
    .requiredOption('--to <folder>', 'a new folder')
    .addOption(new Option('--format <name>', 'of the weights').choices([...exportFormats]).default('safetensors'))
    .action(async (model: string, options: ExportArguments) =>
      end(await (await import('./commands/export.ts')).exportModel(model, options)),
    )
}

const engineOption = (): Option =>
  new Option('--engine <name>', 'what runs the numbers').env('PIPELINE_ENGINE').default('auto')

function addRun(program: Command, end: (code: number) => void): void {
  withConfig(
    program
      .command('run [stages...]')
      .description('run the stages whose results are not there; all, or those named and what they read'),
  )
    .option('--dry-run', 'say what would run and why, and touch nothing')
    .addOption(new Option('--jobs <number>', 'stages at once').argParser(positive))
    .option('--keep-going', 'after a failure, go on with what does not depend on it')
    .addOption(engineOption())
    .option('--force', 'run the named stages, or all, although their results are there')
    .option(
      '--audit',
      'run them although their results are there, and name what they read and did not declare; exit code 1 if anything',
    )
    .action(async (stages: string[], options: RunArguments) =>
      end(await (await import('./commands/run.ts')).run(stages, options)),
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
  withConfig(program.command('graph').description('draw the stages as a Mermaid flowchart')).action(
    async (options: ConfigOptions) => end(await (await import('./commands/graph.ts')).graph(options)),
  )
}

function addExperiments(program: Command, end: (code: number) => void): void {
  withJson(program.command('list').description('list the experiments, newest first')).action(
    async (options: { json?: boolean }) => end((await import('./commands/list.ts')).list(options)),
  )
  withJson(program.command('show <hash>').description("show an experiment's parameters, stages and metrics")).action(
    async (hash: string, options: { json?: boolean }) => end((await import('./commands/show.ts')).show(hash, options)),
  )
  withJson(
    program.command('diff <a> <b>').description('say what differs between two experiments, and nothing else'),
  ).action(async (a: string, b: string, options: { json?: boolean }) =>
    end((await import('./commands/diff.ts')).diff(a, b, options)),
  )
  withJson(
    program.command('report [hash]').description("say where an experiment's page is; the newest, if none is named"),
  ).action(async (hash: string | undefined, options: { json?: boolean }) =>
    end((await import('./commands/report.ts')).report(hash, options)),
  )
  withJson(
    program
      .command('reproduce <hash>')
      .description('run an experiment again from its recorded code, and compare every output with the record'),
  ).action(async (hash: string, options: { json?: boolean }) =>
    end(await (await import('./commands/reproduce.ts')).reproduceExperiment(hash, options)),
  )
  withJson(program.command('pin <hash>').description('keep an experiment, and add its record and code to git')).action(
    async (hash: string, options: { json?: boolean }) =>
      end(await (await import('./commands/pin.ts')).pin(hash, options)),
  )
  withJson(
    program.command('log [hash]').description('log an experiment to another program; the newest, if none is named'),
  )
    .addOption(
      new Option('--to <name>', 'the program').choices(['tensorboard', 'mlflow', 'wandb']).makeOptionMandatory(),
    )
    .option('--dir <folder>', "of TensorBoard's files (default: artifacts/tensorboard)")
    .action(async (hash: string | undefined, options: LogArguments) =>
      end(await (await import('./commands/log.ts')).log(hash, options)),
    )
}

function addStore(program: Command, end: (code: number) => void): void {
  withJson(program.command('du').description('say what the results take on disk, and which of them are needed')).action(
    async (options: { json?: boolean }) => end((await import('./commands/du.ts')).du(options)),
  )
  withJson(
    program
      .command('gc')
      .description(
        'remove the results that no experiment, no link in artifacts and no run needs, and what dead runs left',
      ),
  )
    .addOption(
      new Option(
        '--bytes <number>',
        'also those of experiments without a pin, longest unused first, until the store has so many',
      ).argParser(whole),
    )
    .addOption(
      new Option(
        '--age <days>',
        'also those of experiments without a pin, but only what was not used for so long',
      ).argParser(fromZero),
    )
    .option('--dry-run', 'say what would be removed, and touch nothing')
    .action(async (options: GcArguments) => end(await (await import('./commands/gc.ts')).gc(options)))
  withJson(
    program.command('verify').description('read every result again, and move the damaged ones out of the way'),
  ).action(async (options: { json?: boolean }) => end((await import('./commands/verify.ts')).verify(options)))
}

const numberWhere = (holds: (value: number) => boolean, expected: string) => (text: string) => {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!holds(value)) throw new InvalidArgumentError(`Expected ${expected}.`)
  return value
}
const positive = numberWhere((value) => Number.isSafeInteger(value) && value >= 1, 'a whole number from 1')
const whole = numberWhere((value) => Number.isSafeInteger(value) && value >= 0, 'a whole number from 0')
const fromZero = numberWhere((value) => value >= 0 && value < Infinity, 'a number from 0')
const share = numberWhere((value) => value > 0 && value <= 1, 'a number above 0 and at most 1')
