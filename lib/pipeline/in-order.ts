import type { Stage } from './pipeline.ts'
import { upstream } from './prepare.ts'

/** Calls `run` for each stage after it has ended for those that it reads; p-graph orders by the longest way to the end. */
export async function inOrder(stages: readonly Stage[], run: (stage: Stage) => Promise<void>): Promise<void> {
  const { PGraph } = await import('p-graph')
  // its ids must be no property of every object, and not empty
  const id = (name: string): string => `stage ${name}`
  const names = new Set(stages.map((stage) => stage.id))
  const nodes = new Map(stages.map((stage) => [id(stage.id), { priority: 1, run: () => run(stage) }]))
  const edges = stages.flatMap((stage) =>
    upstream(stage).flatMap((before): [string, string][] => (names.has(before) ? [[id(before), id(stage.id)]] : [])),
  )
  await new PGraph(nodes, edges).run({ continue: true })
}
