import { Option } from 'commander'
import type { Command } from 'commander'
import type { GcArguments } from './commands/gc.ts'
import type { ListArguments } from './commands/list.ts'
import type { LogArguments } from './commands/log.ts'
import type { ProvenanceArguments } from './commands/provenance.ts'
import type { TagArguments } from './commands/tag.ts'
import type { UiArguments } from './commands/ui.ts'
import type { VerifyArguments } from './commands/verify.ts'
import { fromZero, gather, portNumber, whole, withConfig, withJson } from './options.ts'
import type { ConfigOptions } from './options.ts'

/** The commands that look at what was run, and those that care for the store. */
export function addExperiments(program: Command, end: (code: number) => void): void {
  withJson(program.command('list').description('list the experiments, newest first'))
    .option('--sort <names>', 'by parameters or metrics, apart by commas; -NAME: the greatest first')
    .addOption(
      new Option('--where <condition>', "only those of which 'NAME=VALUE' holds, or != < <= > >=; may be repeated")
        .argParser(gather)
        .default([], 'none'),
    )
    .addOption(new Option('--csv', 'print every parameter and metric, comma-separated').conflicts('json'))
    .action(async (options: ListArguments) => end(await (await import('./commands/list.ts')).list(options)))
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
  withConfig(
    program
      .command('ui')
      .description('serve a page to this machine: experiments side by side, curves, the stages, and runs as they go'),
  )
    .addOption(
      new Option('--port <number>', "to listen on; the folder's own if not said, or one that is free").argParser(
        portNumber,
      ),
    )
    .action(async (options: UiArguments) => end(await (await import('./commands/ui.ts')).ui(options)))
  withJson(
    program
      .command('reproduce <hash>')
      .description('run an experiment again from its recorded code, and compare every output with the record'),
  ).action(async (hash: string, options: { json?: boolean }) =>
    end(await (await import('./commands/reproduce.ts')).reproduceExperiment(hash, options)),
  )
  withJson(
    program
      .command('provenance <hash>')
      .description('write an experiment as an RO-Crate, with an in-toto statement of how each result was made'),
  )
    .requiredOption('--to <folder>', 'a folder that is not there yet')
    .action(async (hash: string, options: ProvenanceArguments) =>
      end((await import('./commands/provenance.ts')).provenance(hash, options)),
    )
  withJson(program.command('pin <hash>').description('keep an experiment, and add its record and code to git')).action(
    async (hash: string, options: { json?: boolean }) =>
      end(await (await import('./commands/pin.ts')).pin(hash, options)),
  )
  withJson(
    program
      .command('tag [hash] [name]')
      .description(
        'give an experiment a name that stands wherever a hash may, and keeps its results from gc; or move it',
      ),
  )
    .option('--delete <name>', 'take this name off again')
    .action(async (hash: string | undefined, name: string | undefined, options: TagArguments) =>
      end((await import('./commands/tag.ts')).tag(hash, name, options)),
    )
  withJson(
    program
      .command('log [target]')
      .description(
        'print the log of a stage, as it was last run; with --to, log an experiment, the newest if none is named',
      ),
  )
    .addOption(
      new Option('--to <name>', 'the program to log an experiment to').choices(['tensorboard', 'mlflow', 'wandb']),
    )
    .option('--dir <folder>', "of TensorBoard's files (default: artifacts/tensorboard)")
    .action(async (target: string | undefined, options: LogArguments) =>
      end(await (await import('./commands/log.ts')).log(target, options)),
    )
}

export function addStore(program: Command, end: (code: number) => void): void {
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
        'also those of experiments without a pin or a tag, longest unused first, until the store has so many',
      ).argParser(whole),
    )
    .addOption(
      new Option(
        '--age <days>',
        'also those of experiments without a pin or a tag, but only what was not used for so long',
      ).argParser(fromZero),
    )
    .option('--dry-run', 'say what would be removed, and touch nothing')
    .action(async (options: GcArguments) => end(await (await import('./commands/gc.ts')).gc(options)))
  withConfig(
    program
      .command('verify')
      .description(
        'read every result again, heal the damaged ones from the remote or move them away; or run one stage a second time',
      ),
  )
    .option('--twice <stage>', 'run it again from the same inputs, and say which files come out otherwise, and where')
    .action(async (options: VerifyArguments) => end(await (await import('./commands/verify.ts')).verify(options)))
  addRemote(program, end)
}

function addRemote(program: Command, end: (code: number) => void): void {
  for (const [verb, description] of [
    ['push', 'push results to the remote: all that are here, or those of experiments or stages'],
    ['pull', 'fetch results from the remote: all that are lacking, or those of experiments or stages'],
  ] as const) {
    withConfig(program.command(`${verb} [targets...]`).description(description)).action(
      async (targets: string[], options: ConfigOptions) =>
        end(await (await import('./commands/sync.ts')).sync(verb, targets, options)),
    )
  }
  withJson(
    program
      .command('keygen [file]')
      .description('write a new private key that signs what is pushed, and print its public key for `trust:`'),
  ).action(async (file: string | undefined, options: { json?: boolean }) =>
    end((await import('./commands/keygen.ts')).keygen(file, options)),
  )
}
