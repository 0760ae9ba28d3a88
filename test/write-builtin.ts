// npm run builtin: copies what recipes/builtin-models.yaml made into lib/data/builtin, and writes the small world there.
// test/data/builtin.test.ts holds the folder equal to what the experiment it names made.
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeWorld } from '../lib/data/world.ts'
import { builtinWorld } from './data/builtin-world.ts'

const builtin = join('lib', 'data', 'builtin')
const recipe = 'recipes/builtin-models.yaml'

interface Recorded {
  readonly hash: string
  readonly files: readonly string[]
  readonly at: string
  readonly stages: Readonly<Record<string, { readonly outputs: Readonly<Record<string, string>> }>>
}

const record = latest()
rmSync(builtin, { recursive: true, force: true })
mkdirSync(builtin, { recursive: true })
for (const model of ['teacher', 'student']) {
  const made = join('artifacts', `pretrain-${model}`, 'model')
  cpSync(made, join(builtin, model), { recursive: true, dereference: true })
  for (const name of readdirSync(made)) makeWritable(join(builtin, model, name))
}
writeWorld(join(builtin, 'world'), builtinWorld)
const models = Object.fromEntries(
  ['teacher', 'student'].map((model) => [model, record.stages[`pretrain-${model}`]!.outputs['model']!]),
)
const origin = { recipe, experiment: record.hash, models }
writeFileSync(join(builtin, 'origin.json'), `${JSON.stringify(origin, null, 2)}\n`)

/** The newest experiment of the recipe. */
function latest(): Recorded {
  const folder = join('artifacts', 'experiments')
  const records = readdirSync(folder).map(
    (hash) => JSON.parse(readFileSync(join(folder, hash, 'record.json'), 'utf8')) as Recorded,
  )
  const own = records.filter(({ files }) => files.includes(recipe)).sort((a, b) => b.at.localeCompare(a.at))
  if (!own[0]) throw new Error(`run \`npx pipeline run -p ${recipe}\` first`)
  return own[0]
}

function makeWritable(file: string): void {
  const bytes = readFileSync(file)
  if (!statSync(file).isFile()) return
  rmSync(file)
  writeFileSync(file, bytes)
}
