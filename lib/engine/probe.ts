import type { EngineFacts, EngineTried } from '../util/diagnosis.ts'
import type { EngineName } from '../util/engine-names.ts'
import type { Machine } from '../util/machine.ts'
import { examine } from './examine.ts'
import { openEngine, suits } from './index.ts'
import { engineKinds } from './kinds.ts'
import type { Kind } from './kinds.ts'
import type { Precision } from './precision.ts'
import { measureProducts } from './rate.ts'

/** What is known of an engine, from the libraries that it stands on: they may crash. */
export const factsOf = (name: string, machine: Machine): Promise<EngineFacts> => examine[name as EngineName](machine)

/** Opens an engine and measures it in each of its precisions. It may crash, or hang: in a process of its own. */
export async function probe(name: string, { threads }: Machine): Promise<EngineTried> {
  const kind = engineKinds.find((one) => one.name === name)
  if (!kind) throw new Error(`Internal error: "${name}" is no engine`)
  const gflops: Record<string, number> = {}
  const fails: Record<string, string> = {}
  for (const precision of kind.precisions) {
    const found = await tryPrecision(kind, threads, precision)
    if (typeof found === 'number') gflops[precision] = found
    else if (precision !== 'fp32') fails[precision] = found.why
    else return { works: false, ...found, suitsAuto: await suits(kind), gflops, fails }
  }
  return { works: true, state: 'works', suitsAuto: await suits(kind), why: kind.about, gflops, fails }
}

type Failed = Pick<EngineTried, 'state' | 'why'>

/** GFLOP/s. */
async function tryPrecision({ name }: Kind, threads: number, precision: Precision): Promise<number | Failed> {
  const engine = await openEngine({ name, threads, precision }).catch((error: unknown) => reason(error))
  if (typeof engine === 'string') return { state: 'absent', why: engine }
  try {
    return await measureProducts(engine, precision)
  } catch (error) {
    return { state: 'wrong', why: reason(error) }
  } finally {
    await engine.dispose()
  }
}

/** openEngine says around it what helps who asked for this engine. */
function reason(error: unknown): string {
  const { cause } = error as Error
  return cause instanceof Error ? cause.message : error instanceof Error ? error.message : String(error)
}
