import { lstatSync, lutimesSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from './command.ts'
import { Place } from './command.ts'

/** Two stages, of which the second waits while `hold` is there; what they write depends on `n`. */
const PIPELINE = `version: 1
params: { n: 1 }
stages:
  make:
    cmd: [node, make.mjs, '\${with.n}', '\${out.folder}']
    with: { n: '\${n}' }
    out: [folder]
  join:
    cmd: [node, join.mjs, '\${in.folder}', '\${out.text}']
    in: { folder: make.folder }
    out: [text]
`

const MAKE = `import { mkdirSync, writeFileSync } from 'node:fs'
const [n, folder] = process.argv.slice(2)
mkdirSync(folder + '/deep', { recursive: true })
for (let i = 0; i < 30; i++) writeFileSync(folder + '/deep/' + i, (n + ' ').repeat(1000))
`

const JOIN = `import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
const [folder, text] = process.argv.slice(2)
if (existsSync('hold')) writeFileSync('held', '')
while (existsSync('hold')) await setTimeout(20)
writeFileSync(text, readdirSync(folder + '/deep').map((name) => readFileSync(folder + '/deep/' + name, 'utf8')).join(''))
`

export const joined = (n: number): string => `${n} `.repeat(30_000)

export interface ResultHere {
  readonly stage: string
  readonly key: string
  readonly bytes: number
  readonly needs: readonly string[]
}

export interface Collected {
  readonly dryRun: boolean
  readonly removed: readonly ResultHere[]
  readonly leftovers: readonly { readonly path: string; readonly bytes: number }[]
  readonly freedBytes: number
  readonly bytes: number
}

export interface Usage {
  readonly bytes: number
  readonly asideBytes: number
  readonly freeBytes: number
  readonly reproducedBytes: number
  readonly needed: Readonly<Record<string, number>>
  readonly stages: readonly {
    readonly stage: string
    readonly bytes: number
    readonly results: readonly ResultHere[]
  }[]
}

export interface Verified {
  readonly results: number
  readonly bytes: number
  readonly damaged: readonly {
    readonly stage: string
    readonly key: string
    readonly damage: readonly {
      readonly path: string
      readonly expected: string | null
      readonly found: string | null
    }[]
    readonly aside: string | null
  }[]
}

/** The real command in a temporary folder, and its store. */
export class Kept extends Place {
  constructor(context: Context) {
    super(context)
    this.write('pipeline.yaml', PIPELINE)
    this.write('make.mjs', MAKE)
    this.write('join.mjs', JOIN)
  }

  /** Runs with this `n`; gives the experiment's hash. */
  async make(n: number): Promise<string> {
    const { code, last } = await this.lines('--set', `n=${n}`)
    if (code !== 0) throw new Error(JSON.stringify(last))
    return String(last['experiment'])
  }

  async gc(...args: string[]): Promise<Collected> {
    return JSON.parse((await this.run('gc', '--json', ...args)).out) as Collected
  }

  async du(): Promise<Usage> {
    return JSON.parse((await this.run('du', '--json')).out) as Usage
  }

  async verify(): Promise<Verified & { readonly code: number | null }> {
    const { code, out } = await this.run('verify', '--json')
    return { code, ...(JSON.parse(out) as Verified) }
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts)
  }

  /** `stage/key` of every result, sorted. */
  kept(): string[] {
    return ['join', 'make'].flatMap((stage) =>
      this.results(stage)
        .sort()
        .map((key) => `${stage}/${key}`),
    )
  }

  /** `stage/key` of the results that this `n` has. */
  resultsOf(hash: string): string[] {
    const record = JSON.parse(this.read(`artifacts/experiments/${hash}/record.json`)) as {
      stages: Record<string, { key: string }>
    }
    return Object.entries(record.stages)
      .map(([stage, { key }]) => `${stage}/${key}`)
      .sort()
  }

  /** Names beside the results of a stage. */
  beside(stage: string): string[] {
    return readdirSync(this.path('artifacts/store', stage)).filter((name) => name.startsWith('.'))
  }

  /** As if results, or what stands beside them, had last been used so many days ago. */
  age(days: number, ...places: string[]): void {
    const then = new Date(Date.now() - days * 86_400_000)
    for (const place of places) ageTree(this.path('artifacts/store', place), then)
  }
}

function ageTree(path: string, then: Date): void {
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) ageTree(join(path, name), then)
  lutimesSync(path, then, then)
}
