import { wholeStage } from '../pipeline/shards/names.ts'
import type { ConfigOptions } from './options.ts'
import { jsonPrinter, linePrinter } from './printer.ts'
import type { Manner, Printer } from './printer.ts'
import { runCommand } from './run-command.ts'

export interface PrinterOptions extends Partial<ConfigOptions> {
  readonly quiet?: boolean
  readonly verbose?: boolean
  readonly debug?: boolean
}

/** JSON where it was asked for; on a terminal lines with a block of who is at work under them; else lines. */
export async function choosePrinter(options: PrinterOptions): Promise<Printer> {
  if (options.json === true) return jsonPrinter
  const { quiet = false, debug = false, verbose = debug } = options
  const manner: Manner = {
    quiet,
    verbose,
    stacks: debug,
    again: (stage) => `${runCommand(options, wholeStage(stage))} --debug`,
  }
  if (quiet || !isLive()) return linePrinter(manner)
  return (await import('./live/printer.ts')).livePrinter(manner)
}

/** What a continuous integration shows is read later: a block that is drawn over and over would be noise there. */
const isLive = (): boolean =>
  process.stdout.isTTY && process.env['TERM'] !== 'dumb' && ['', 'false', '0', undefined].includes(process.env['CI'])
