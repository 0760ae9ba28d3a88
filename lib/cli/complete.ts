import type { Command, Option } from 'commander'
import { loadPipeline } from '../pipeline/config.ts'
import type { LoadedPipeline } from '../pipeline/config.ts'
import { listExperiments } from '../pipeline/experiment.ts'
import { codes } from '../util/codes/index.ts'
import { flatten } from '../util/flatten.ts'

/**
 * What may stand in the place of the last word, which may be empty: commands, options and their choices, stages,
 * parameters, experiments. None where only files can stand.
 */
export async function candidates(program: Command, words: readonly string[]): Promise<readonly string[]> {
  const current = words.at(-1) ?? ''
  const found = await candidatesFor(program, words.slice(0, -1), current)
  return [...new Set(found)].filter((candidate) => candidate.startsWith(current))
}

async function candidatesFor(program: Command, before: readonly string[], current: string): Promise<readonly string[]> {
  const help = program.createHelp()
  const [name, ...rest] = before
  const commands = help.visibleCommands(program)
  const names = commands.map((command) => command.name())
  if (name === undefined) return current.startsWith('-') ? longNames(help.visibleOptions(program)) : names
  if (name === 'help') return [...names, ...Object.keys(codes)]
  const command = commands.find((one) => one.name() === name)
  if (command === undefined) return []
  const option = optionOf(command, rest.at(-1))
  if (option?.required === true) return valuesOf(option, rest)
  if (current.startsWith('-')) return longNames(help.visibleOptions(command))
  return argumentsOf(command, rest)
}

const longNames = (options: readonly Option[]): string[] => options.map(({ long, short }) => long ?? short ?? '')

const optionOf = (command: Command, word: string | undefined): Option | undefined =>
  command.options.find(({ long, short }) => word !== undefined && (word === long || word === short))

async function valuesOf(option: Option, before: readonly string[]): Promise<readonly string[]> {
  return option.long === '--set' ? parameters(before) : (option.argChoices ?? [])
}

/** By the name that the argument has in the command's usage. */
async function argumentsOf(command: Command, before: readonly string[]): Promise<readonly string[]> {
  const given = before.filter((word, i) => !word.startsWith('-') && optionOf(command, before[i - 1])?.required !== true)
  const declared = command.registeredArguments
  const argument = declared[given.length] ?? declared.findLast(({ variadic }) => variadic)
  const name = argument?.name() ?? ''
  if (name === 'settings') return parameters(before)
  if (name === 'stage' || name === 'stages') return stages(before)
  if (name === 'targets' || name === 'target') return [...(await stages(before)), ...experiments()]
  if (EXPERIMENTS.has(name)) return experiments()
  return argument?.argChoices ?? []
}

const EXPERIMENTS: ReadonlySet<string> = new Set(['hash', 'a', 'b', 'model'])

const experiments = (): string[] => listExperiments(process.cwd()).map(({ record }) => record.hash.slice(0, 16))

const stages = async (before: readonly string[]): Promise<string[]> =>
  ((await pipelineOf(before))?.stages ?? []).flatMap((stage) => [stage.name, stage.id])

const parameters = async (before: readonly string[]): Promise<string[]> =>
  flatten((await pipelineOf(before))?.params ?? {}).map(([name]) => `${name}=`)

/** With the recipes that the line names; undefined where it has a mistake, which is no matter here. */
async function pipelineOf(before: readonly string[]): Promise<LoadedPipeline | undefined> {
  const overlays = before.filter((_, i) => ['-p', '--recipe'].includes(before[i - 1] ?? ''))
  const loaded = await loadPipeline({ file: 'pipeline.yaml', overlays, sets: [] })
  return loaded.ok ? loaded.value : undefined
}
