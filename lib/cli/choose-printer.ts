import { wholeStage } from '../pipeline/shards/names.ts'
import type { ConfigOptions } from './options.ts'
import { jsonPrinter, linePrinter } from './printer.ts'
import type { Manner, Printer } from './printer.ts'

export interface PrinterOptions extends Partial<ConfigOptions> {
  readonly quiet?: boolean
  readonly verbose?: boolean
  readonly debug?: boolean
}

/** JSON where it was asked for; on a terminal lines with a block of who is at work under them; else lines. */
export async function choosePrinter(options: PrinterOptions): Promise<Printer> {
  if (options.json === true) return jsonPrinter
  const { quiet = false, debug = false, verbose = debug } = options
  const manner: Manner = { quiet, verbose, stacks: debug, again: (stage) => alone(stage, options) }
  if (quiet || !isLive()) return linePrinter(manner)
  return (await import('./live/printer.ts')).livePrinter(manner)
}

/** What a continuous integration shows is read later: a block that is drawn over and over would be noise there. */
const isLive = (): boolean =>
  process.stdout.isTTY && process.env['TERM'] !== 'dumb' && ['', 'false', '0', undefined].includes(process.env['CI'])

/** The command that runs a stage alone, with the same recipes and settings. */
function alone(stage: string, { recipe = [], set = [] }: PrinterOptions): string {
  const args = [
    wholeStage(stage),
    ...recipe.flatMap((file) => ['-p', file]),
    ...set.flatMap((setting) => ['--set', setting]),
  ]
  return `npx pipeline run ${args.map(quoted).join(' ')} --debug`
}

const quoted = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)
