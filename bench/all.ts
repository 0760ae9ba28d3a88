import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { table } from '../lib/cli/format.ts'
import type { Figure } from './figures.ts'

interface Outcome {
  readonly name: string
  readonly minutes: number
  /** Undefined where it failed. */
  readonly figures: readonly Figure[] | undefined
}

/**
 * Runs benches one after the other, each in a process of its own, so that one that fails leaves the others alone, and says
 * in the end what became of each. `argsOf` are Node's for a bench. Whether none failed.
 */
export async function runAll(names: readonly string[], argsOf: (name: string) => readonly string[]): Promise<boolean> {
  const outcomes: Outcome[] = []
  for (const [i, name] of names.entries()) {
    console.log(`== ${name} (${i + 1} of ${names.length})`)
    outcomes.push(await runBench(name, argsOf(name)))
  }
  console.log(`\n${summary(outcomes)}`)
  return outcomes.every(({ figures }) => figures !== undefined)
}

async function runBench(name: string, args: readonly string[]): Promise<Outcome> {
  const begun = performance.now()
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  let figures: readonly Figure[] | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    const found = figuresIn(line)
    if (found === undefined) console.log(line)
    else figures = found
  }
  const [code, signal] = await closed
  if (code !== 0) console.log(`FAILED: "${name}" ended with ${signal ?? `exit code ${code ?? 'none'}`}`)
  else if (figures === undefined) console.log(`FAILED: "${name}" gave no figures`)
  return { name, minutes: (performance.now() - begun) / 60_000, figures: code === 0 ? figures : undefined }
}

/** The last line of a bench is JSON. */
function figuresIn(line: string): readonly Figure[] | undefined {
  if (!line.startsWith('{"bench":')) return undefined
  return (JSON.parse(line) as { readonly figures: readonly Figure[] }).figures
}

/** Whose figures are where they are to be, and which are not. */
function summary(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ name, minutes, figures }) => {
    const missed = figures?.filter(({ ok }) => !ok) ?? []
    const reached = figures === undefined ? 'failed' : `${figures.length - missed.length} of ${figures.length} reached`
    const names = missed.map(({ what }) => what).join('; ')
    return [name, minutes.toFixed(1), reached, names === '' ? '' : `missed: ${names}`]
  })
  const all = outcomes.reduce((total, { minutes }) => total + minutes, 0)
  return table([['bench', 'minutes'], ...rows, ['all', all.toFixed(1)]])
}
