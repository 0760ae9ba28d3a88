import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The inputs: the one that is made first, and another, of fewer lines. */
export const FIRST = 'one\ntwo\nthree\nfour\nfive\n'
export const OTHER = 'six\nseven\neight\n'

/**
 * Three stages, for all tools the same program: a file, a folder, and a slow stage that writes in two steps. It says
 * where it is in files that no tool knows of.
 */
const PROGRAM = `echo $1 >> ran.log
case $1 in
  upper) tr a-z A-Z < "$2" > "$3" ;;
  split) mkdir -p "$3" && split -l 1 "$2" "$3/" ;;
  slow) echo $$ > slow.pid; sleep 0.1; cat "$2"/* > "$4"; sleep 0.1; cat "$3" >> "$4"; echo > slow.read; sleep 0.1 ;;
esac
`

/** Where a tool shows its outputs in a project's folder. */
export interface Outputs {
  readonly upper: string
  readonly parts: string
  readonly joined: string
}

export function writeProject(folder: string): void {
  writeFileSync(join(folder, 'make.sh'), PROGRAM)
  setInput(folder, FIRST)
}

export const setInput = (folder: string, text: string): void => writeFileSync(join(folder, 'input.txt'), text)

/** Whether the outputs are those of a clean run on this input, file by file. */
export function isRight(folder: string, outputs: Outputs, input: string): boolean {
  const lines = input.toUpperCase().match(/.*\n/g)!
  const parts = join(folder, outputs.parts)
  if (![outputs.upper, outputs.parts, outputs.joined].every((path) => existsSync(join(folder, path)))) return false
  const names = readdirSync(parts).sort()
  return (
    readFileSync(join(folder, outputs.upper), 'utf8') === input.toUpperCase() &&
    names.length === lines.length &&
    names.every((name, i) => readFileSync(join(parts, name), 'utf8') === lines[i]) &&
    readFileSync(join(folder, outputs.joined), 'utf8') === input.toUpperCase() + input
  )
}

/** How often stages have run in this folder. */
export const runsOf = (folder: string): number => readFileSync(join(folder, 'ran.log'), 'utf8').split('\n').length - 1
