import { join } from 'node:path'
import { commandsSection } from './commands.ts'
import { faultSection } from './faults.ts'
import { readJson, readText } from './read.ts'
import type { RecordedExperiment, RecordedSeeds } from './recorded.ts'
import { realPairSection } from './real-pair.ts'
import { resultsSection } from './results.ts'
import { seedsSection } from './seeds.ts'
import { sweepSection } from './sweep.ts'
import { readBenches, speedSection } from './speed.ts'

const NOT_RUN = 'not run yet'

/** A section of README.md each, by the name of its marks, from the files in bench/results and the commands. */
export function sections(folder: string): Readonly<Record<string, string>> {
  // our own results, taken as they were written
  const experiment = (name: string) => readJson(join(folder, `${name}.metrics.json`)) as RecordedExperiment | undefined
  const seeds = (readJson(join(folder, 'seeds.json')) ?? { experiments: [] }) as RecordedSeeds
  const sweep = experiment('temperature-sweep')
  const transcript = readText(join(folder, 'temperature.txt'))
  const made = {
    results: resultsSection(
      {
        default: experiment('default'),
        wikitext: experiment('wikitext2-small'),
        builtin: experiment('builtin-models'),
      },
      NOT_RUN,
    ),
    sweep: sweep?.metrics.sweep ? sweepSection(sweep) : NOT_RUN,
    seeds: seeds.experiments.length === 0 ? NOT_RUN : seedsSection(seeds),
    temperature: transcript === undefined ? NOT_RUN : fenced(transcript),
    'real-pair': realPairSection(readBenches(folder)) ?? NOT_RUN,
    speed: speedSection(readBenches(folder)) || NOT_RUN,
    faults: faultSection(readBenches(folder)) || NOT_RUN,
    commands: commandsSection(),
  }
  // the report's no-break spaces look like any other in an editor
  return Object.fromEntries(Object.entries(made).map(([name, text]) => [name, text.replaceAll('\u00a0', ' ')]))
}

/** Puts each section between `<!-- name -->` and `<!-- /name -->`, in place of what stands there. */
export function fill(text: string, parts: Readonly<Record<string, string>>): string {
  let filled = text
  for (const [name, part] of Object.entries(parts)) {
    const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
    const [start, end] = [filled.indexOf(open), filled.indexOf(close)]
    if (start < 0 || end < start) throw new Error(`README.md: expected "${open}" and, after it, "${close}"`)
    filled = `${filled.slice(0, start + open.length)}\n\n${part}\n\n${filled.slice(end)}`
  }
  return filled
}

/** A block of text as it is; its fence is longer than any in it. */
export function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}text\n${text.trimEnd()}\n${fence}`
}
