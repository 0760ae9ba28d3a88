import { graph, input, matmul, sum } from '../graph/index.ts'
import { engineKinds, openEngine, suits } from './index.ts'
import type { Engine } from './engine.ts'

export interface Diagnosis {
  /** Best first. */
  readonly engines: readonly {
    readonly name: string
    readonly works: boolean
    /** What it would run on; null where it does not work. */
    readonly device: string | null
    /** What it is, or why it does not work. */
    readonly why: string
  }[]
  /** What `auto` takes; null where nothing works. */
  readonly auto: string | null
}

/** Tries each engine on a small product: an engine that loads and computes nonsense does not work. */
export async function diagnose(threads: number): Promise<Diagnosis> {
  const engines: Diagnosis['engines'][number][] = []
  let auto: string | null = null
  for (const kind of engineKinds) {
    const { name, about } = kind
    try {
      const engine = await openEngine({ name, threads })
      const found = await product(engine)
      await engine.dispose()
      if (found !== 11) throw new Error(`1 · 3 + 2 · 4 came out as ${found}`)
      engines.push({ name, works: true, device: engine.device, why: about })
      if (await suits(kind)) auto ??= name
    } catch (error) {
      engines.push({ name, works: false, device: null, why: error instanceof Error ? error.message : String(error) })
    }
  }
  return { engines, auto }
}

async function product(engine: Engine): Promise<number> {
  const value = sum(matmul(input('row', [1, 2]), input('column', [2, 1])))
  const program = await engine.compile(graph({ outputs: { value } }))
  const feeds = {
    row: { shape: [1, 2], data: Float32Array.of(1, 2) },
    column: { shape: [2, 1], data: Float32Array.of(3, 4) },
  }
  const { value: found } = await program.run(feeds)
  await program.dispose()
  return found!.data[0]!
}
