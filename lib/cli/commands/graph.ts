import type { Input, Pipeline } from '../../pipeline/pipeline.ts'
import { load } from '../load.ts'
import { exitCodeOf, write, writeFailures, writeJson } from '../output.ts'
import type { ConfigOptions } from '../options.ts'

/** `pipeline graph`: the stages as a Mermaid flowchart, the cells of a matrix as one node. */
export async function graph(options: ConfigOptions): Promise<number> {
  const loaded = await load(options)
  if (!loaded.ok) {
    writeFailures(loaded.error, options.json === true)
    return exitCodeOf(loaded.error)
  }
  const drawn = draw(loaded.value)
  if (options.json === true) writeJson(drawn)
  else write(mermaid(drawn))
  return 0
}

interface Drawing {
  readonly stages: readonly { readonly name: string; readonly cells: number }[]
  readonly edges: readonly { readonly from: string; readonly to: string; readonly outputs: readonly string[] }[]
}

function draw({ stages }: Pipeline): Drawing {
  const names = new Map(stages.map((stage) => [stage.id, stage.name]))
  const cells = new Map<string, number>()
  const edges = new Map<string, Map<string, Set<string>>>()
  for (const stage of stages) {
    cells.set(stage.name, (cells.get(stage.name) ?? 0) + 1)
    const into = edges.get(stage.name) ?? new Map<string, Set<string>>()
    edges.set(stage.name, into)
    for (const ref of Object.values(stage.in).flatMap(refsOf)) {
      const from = names.get(ref.stage) ?? ref.stage
      into.set(from, (into.get(from) ?? new Set()).add(ref.output))
    }
  }
  return {
    stages: [...cells].map(([name, count]) => ({ name, cells: count })),
    edges: [...edges].flatMap(([to, into]) =>
      [...into].map(([from, outputs]) => ({ from, to, outputs: [...outputs] })),
    ),
  }
}

function refsOf(input: Input): readonly { readonly stage: string; readonly output: string }[] {
  if (input.kind === 'gather') return Object.values(input.cells)
  return input.kind === 'stage' ? [input] : []
}

/** Nodes are numbered: a stage may be named as Mermaid's own words are. */
function mermaid({ stages, edges }: Drawing): string {
  const ids = new Map(stages.map(({ name }, index) => [name, `s${index}`]))
  const nodes = stages.map(({ name, cells }) => `  ${ids.get(name) ?? ''}["${name}${cells > 1 ? ` × ${cells}` : ''}"]`)
  const arrows = edges.map(
    ({ from, to, outputs }) => `  ${ids.get(from) ?? ''} -->|${outputs.join(', ')}| ${ids.get(to) ?? ''}`,
  )
  return ['flowchart TD', ...nodes, ...arrows].join('\n')
}
