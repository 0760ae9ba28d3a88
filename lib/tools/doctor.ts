import { engineKinds } from '../engine/kinds.ts'
import { factsOf, probe } from '../engine/probe.ts'
import { judge } from '../engine/verdict.ts'
import { answer, say } from '../util/answer.ts'
import type { Diagnosis, EngineFacts, EngineFound, EngineTried } from '../util/diagnosis.ts'
import { thisMachine } from '../util/machine.ts'
import { runApart } from './apart.ts'

/** Seconds for one engine. */
const LIMIT = 60
const machine = thisMachine()
/** Of an engine that crashes before it says anything. */
const unknown: EngineFacts = { backend: null, device: null, driver: null, memory: null, libraries: [], advice: [] }

/** Says which engines work here, how fast, and which one `auto` takes; with an engine's name, what becomes of that one. */
const [name] = process.argv.slice(2)
await answer(() => (name === undefined ? diagnose() : examineOne(name)))

/** One after the other: they are not to take cores from each other. */
async function diagnose(): Promise<Diagnosis> {
  const engines: EngineFound[] = []
  const advice: string[] = []
  for (const { name: engine } of engineKinds) {
    say({ type: 'part', part: engine })
    const { facts, tried } = await apart(engine)
    const { advice: own, ...known } = facts
    advice.push(...own)
    engines.push({ name: engine, ...known, ...tried })
  }
  const verdict = judge(engines, machine)
  return { engines, ...verdict, advice: [...new Set([...advice, ...verdict.advice])], machine }
}

interface Examined {
  readonly facts: EngineFacts
  readonly tried: EngineTried
}

async function apart(engine: string): Promise<Examined> {
  const { parts, answer: given } = await runApart([...process.execArgv, process.argv[1]!, engine], LIMIT)
  const facts = (parts[0] ?? unknown) as EngineFacts
  if ('value' in given) return { facts, tried: given.value as EngineTried }
  return { facts, tried: { works: false, ...given, suitsAuto: true, gflops: {}, fails: {} } }
}

/** What is known goes ahead of what is tried: it is then there even if that crashes. */
async function examineOne(engine: string): Promise<EngineTried> {
  say({ type: 'part', part: await factsOf(engine, machine) })
  return probe(engine, machine)
}
