import { keep, machine, words } from './figures.ts'
import type { Bench } from './figures.ts'

/** Each loads what it needs when it is asked for. */
const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  default: async () => (await import('./default.ts')).embeddedDefault,
  faults: async () => (await import('./faults.ts')).faults,
  generate: async () => (await import('./generate.ts')).generation,
  noop: async () => (await import('./noop.ts')).noop,
  loss: async () => (await import('./loss.ts')).loss,
  score: async () => (await import('./score.ts')).score,
  startup: async () => (await import('./startup.ts')).startup,
  sweep: async () => (await import('./sweep.ts')).sweep,
  teacher: async () => (await import('./teacher.ts')).teacher,
  'train-step-gpt2': async () => (await import('./train-step-gpt2.ts')).trainStepGpt2,
  'train-step': async () => (await import('./train-step.ts')).trainStep,
}

const [name = '', ...options] = process.argv.slice(2)
const bench = Object.hasOwn(benches, name) ? await benches[name]!() : undefined
if (!bench) {
  console.error(`usage: npm run bench -- NAME [--json], NAME one of ${Object.keys(benches).join(', ')}`)
  process.exitCode = 2
} else {
  const figures = await bench.run()
  keep(name, figures)
  if (!options.includes('--json')) for (const one of figures) console.log(words(one))
  console.log(JSON.stringify({ bench: name, machine: machine(), figures }))
}
