import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The inputs: the one that is made first, and another, of fewer lines. */
export const FIRST = 'one\ntwo\nthree\nfour\nfive\n'
export const OTHER = 'six\nseven\neight\n'

/** Where a stage comes by on its way: before it writes, between its writes and after them. */
export const STEPS = ['upper', 'split', 'slow'].flatMap((stage) => [1, 2, 3].map((n) => `${stage} ${n}`))

/**
 * Three stages, for all tools the same program: a file, a folder, and a slow stage, in two writes each. It says where it
 * is in files that no tool knows of, and kills itself with -9 at the step that `die` names.
 */
const PROGRAM = `set -e
stage=$1
/bin/echo $stage >> ran.log
step() { if [ -e die ] && [ "$stage $1" = "$(cat die)" ]; then rm die; kill -9 $$; fi; }
step 1
case $stage in
  upper) tr a-z A-Z < "$2" | head -c 5 > "$3"; step 2; tr a-z A-Z < "$2" | tail -c +6 >> "$3" ;;
  split) mkdir -p "$3"; split -l 1 "$2" "$3/"; rm "$3/ac"; step 2; sed -n 3p "$2" > "$3/ac" ;;
  slow) /bin/echo $$ > slow.pid; sleep 0.1; cat "$2"/* > "$4"; step 2; sleep 0.1; cat "$3" >> "$4"; /bin/echo > slow.read; sleep 0.1 ;;
esac
step 3
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
