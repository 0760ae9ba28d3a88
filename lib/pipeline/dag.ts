import type { Stage } from './pipeline.ts'
import type { Problems } from './problems.ts'
import type { Spot } from './source.ts'

/** The ids of the stages and cells that a stage reads. */
export function readsOf(stage: Pick<Stage, 'in'>): string[] {
  const ids: string[] = []
  for (const input of Object.values(stage.in)) {
    if (input.kind === 'stage') ids.push(input.stage)
    if (input.kind === 'gather') for (const cell of Object.values(input.cells)) ids.push(cell.stage)
  }
  return ids
}

interface Step {
  readonly stage: Stage
  readonly reads: readonly string[]
  next: number
}

/**
 * Stages, each after all that it reads, else in the order written. A cycle is reported by its path.
 * Depth first with a stack of its own: a chain may be longer than the call stack is deep.
 */
export function sortStages(stages: readonly Stage[], spotOf: (stage: Stage) => Spot, problems: Problems): Stage[] {
  const byId = new Map(stages.map((stage) => [stage.id, stage]))
  const state = new Map<string, 'open' | 'done'>()
  const sorted: Stage[] = []
  for (const root of stages) {
    const path = state.has(root.id) ? [] : [open(root, state)]
    for (let step = path.at(-1); step; step = path.at(-1)) {
      const id = step.reads[step.next++]
      const stage = id === undefined ? undefined : byId.get(id)
      if (id === undefined) {
        path.pop()
        state.set(step.stage.id, 'done')
        sorted.push(step.stage)
      } else if (stage && state.get(id) === 'open') reportCycle(path, id, spotOf, problems)
      else if (stage && !state.has(id)) path.push(open(stage, state))
    }
  }
  return sorted
}

function open(stage: Stage, state: Map<string, 'open' | 'done'>): Step {
  state.set(stage.id, 'open')
  return { stage, reads: readsOf(stage), next: 0 }
}

function reportCycle(path: readonly Step[], id: string, spotOf: (stage: Stage) => Spot, problems: Problems): void {
  const start = path.findIndex((step) => step.stage.id === id)
  const names = [...path.slice(start).map((step) => step.stage.name), path[start]!.stage.name]
  const shown = names.length > 12 ? [...names.slice(0, 6), '…', ...names.slice(-5)] : names
  const message = `The stages form a cycle, each reading from the next: ${shown.join(' → ')}. Remove one of these inputs.`
  problems.add('STAGE_CYCLE', spotOf(path[start]!.stage), message)
}
