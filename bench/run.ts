import { runAll } from './all.ts'
import { benches } from './benches.ts'
import { keep, machine, words } from './figures.ts'

const usage = `usage: npm run bench                         all, one after the other
       npm run bench -- NAME [--json]       one of ${Object.keys(benches).join(', ')}
       npm run bench -- --list              what they measure`

/** This program once more, for one bench. */
const self = [...process.execArgv, process.argv[1]!]
const args = process.argv.slice(2)
const [name, ...others] = args.filter((arg) => arg !== '--json')
if (name === undefined) process.exitCode = (await runAll(Object.keys(benches), (one) => [...self, one])) ? 0 : 1
else if (name === '--list' && others.length === 0) await list()
else if (Object.hasOwn(benches, name) && others.length === 0) await runOne(name)
else {
  console.error(usage)
  process.exitCode = 2
}

async function runOne(one: string): Promise<void> {
  const bench = await benches[one]!()
  const figures = await bench.run()
  keep(one, figures)
  if (!args.includes('--json')) for (const figure of figures) console.log(words(figure))
  console.log(JSON.stringify({ bench: one, machine: machine(), figures }))
}

async function list(): Promise<void> {
  const width = Math.max(...Object.keys(benches).map((one) => one.length))
  for (const [one, load] of Object.entries(benches)) console.log(`${one.padEnd(width)}  ${(await load()).about}`)
}
